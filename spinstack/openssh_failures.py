"""What OpenSSH says when a login fails, in the words of the other wire. Pure: text to errors."""

from __future__ import annotations

import re
from dataclasses import dataclass

from spinstack import login_prompt
from spinstack.errors import SpinstackError, UsageError


@dataclass(frozen=True)
class Attempt:
    """A login that failed. `name`: the account; `host`, `port`: as the settings say them, 0 for
    the usual one; `asked`: somebody, or a file, could answer; `outdated`: what is wrong with a
    certificate, if anything; `unreachable`: what to do when the host does not answer."""

    name: str
    host: str
    port: int
    asked: bool
    outdated: str
    unreachable: str

    @property
    def where(self) -> str:
        return f"{self.host}, port {self.port}" if self.port else self.host


_UNREACHABLE = (
    (r"Could not resolve hostname (\S+): .*", "its name can't be resolved"),
    (r"connect to (?:host|address) .*: (?:Connection|Operation) timed out", "no answer in time"),
    (r"(?:connect to (?:host|address) .*: )(.+)", ""),
    (r"Connection timed out during banner exchange", "no answer in time"),
    (r"(?:kex_exchange_identification: .*|banner exchange: .*)", ""),
    (r"(?:Connection (?:closed|reset|timed out).*)", ""),
    (r"(?:Received disconnect from .*|Disconnected from .*)", ""),
    (r"(?:Timeout, server .* not responding\..*)", "no answer in time"),
)
_CONFIG = "|".join(
    (
        r"terminating, \d+ bad configuration options?",
        r"Bad owner or permissions on .*",
        r".*[Bb]ad configuration option: .*",
        r".* line \d+: .*",
    )
)


def explained(said: str, attempt: Attempt) -> SpinstackError:
    """The error for what ssh printed. Unknown text is shown as it is."""
    lines = [line.strip() for line in said.replace("\r", "\n").splitlines() if line.strip()]
    text = "\n".join(lines)
    return (
        _host_key(text, attempt)
        or _refused(text, attempt)
        or _configuration(lines)
        or _unreachable(lines, attempt)
        or SpinstackError(
            f"ssh could not log in to {attempt.name}: {lines[-1] if lines else 'it said nothing'}",
            where=attempt.where,
            remedy=f"see what `ssh -v {attempt.name}` says",
            details="\n".join(lines[-12:]),
        )
    )


def _host_key(text: str, attempt: Attempt) -> SpinstackError | None:
    if "HOST IDENTIFICATION HAS CHANGED" in text:
        key = re.search(r"The fingerprint for the (\S+) key .*\n(SHA256:\S+?)\.?$", text, re.M)
        known = re.search(r"Offending (?:\S+ )?key (?:for .* )?in (\S+)", text)
        return SpinstackError(
            f"the host key of {attempt.host} has CHANGED: somebody may be listening",
            where="; ".join(
                [f"offered {key[1]} {key[2]}"] * bool(key) + [f"known {known[1]}"] * bool(known)
                if key and known
                else [attempt.where]
            ),
            remedy="ask the centre whether it changed its key; if it did, remove the line that is "
            "known (file:line above), and log in again",
        )
    if re.search(r"No \S+ host key is known for", text):
        return unknown_host(attempt, "")
    if "Host key verification failed" in text:
        return SpinstackError(
            f"the host key of {attempt.host} was not accepted",
            where=attempt.where,
            remedy="compare it with the fingerprints that the centre publishes, then try again",
        )
    return None


def unknown_host(attempt: Attempt, fingerprint: str) -> SpinstackError:
    """Nobody could be asked about the host's key."""
    return SpinstackError(
        f"the host key of {attempt.host} is not known",
        where=fingerprint or attempt.where,
        remedy="log in once with ssh in a terminal, compare the fingerprint with the one "
        "that the centre publishes, and accept it there",
    )


def _refused(text: str, attempt: Attempt) -> SpinstackError | None:
    denied = re.search(r"Permission denied \((\S*)\)", text)
    if not denied and "Too many authentication failures" not in text:
        return None
    ways = denied[1] if denied else ""
    prompts = "keyboard-interactive" in ways or "password" in ways
    if prompts and not attempt.asked:
        return UsageError(
            f"{attempt.name} asks for password and code, and there is no terminal to ask on",
            where=attempt.outdated or attempt.where,
            remedy=login_prompt.RENEW
            if attempt.outdated
            else "in a terminal: invoke login; or fetch a key first: invoke login --sshproxy",
        )
    if attempt.outdated:
        return SpinstackError(attempt.outdated, where=attempt.name, remedy=login_prompt.RENEW)
    told = f" (what it allows: {ways})" if ways else ""
    return SpinstackError(
        f"{attempt.name} refused the login: Authentication failed{told}",
        where=attempt.where,
        remedy=login_prompt.ONCE,
    )


def _configuration(lines: list[str]) -> SpinstackError | None:
    for line in lines:
        if re.fullmatch(_CONFIG, line):
            return UsageError(
                "ssh can't use its configuration", where=line, remedy="mend that file, or its mode"
            )
    return None


def _unreachable(lines: list[str], attempt: Attempt) -> SpinstackError | None:
    for line in lines:
        for pattern, reason in _UNREACHABLE:
            found = re.search(pattern, line)
            if found:
                told = reason or (found[1] if found.groups() else found[0])
                return SpinstackError(
                    f"the login node {attempt.host} can't be reached: {told}",
                    where=attempt.where,
                    remedy=attempt.unreachable,
                )
    return None
