"""What OpenSSH says when a login fails, in the words of the other wire. Pure: text to errors."""

from __future__ import annotations

import re
from dataclasses import dataclass

from spinstack.errors import SpinstackError, UsageError
from spinstack.transport import prompt


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


_SILENT = "no answer in time"
# What ssh says of a host that it did not reach, first line first; and how we say it, unless it
# is what follows the last colon.
_UNREACHABLE = (
    (r"Could not resolve hostname (?P<host>\S+): .*", "its name can't be resolved"),
    (r"connect to host (?P<host>\S+) port \d+: (?:Connection|Operation) timed out", _SILENT),
    (r"connect to (?:host|address) (?P<host>\S+) port \d+: (?P<reason>.+)", ""),
    (r"Connection timed out during banner exchange|Timeout, server .*not responding", _SILENT),
    (r"(?:kex_exchange_identification|banner exchange): (?P<reason>.*)", ""),
    (r"(?P<reason>Connection (?:closed|reset|timed out).*)", ""),
    (r"(?P<reason>Received disconnect from .*|Disconnected from .*)", ""),
)
# Why a key was not used.
_NOTE = r"Load key .*|Permissions \d+ for .*|(?:Warning: )?Identity file .* not accessible.*"
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
        return _changed(text, attempt)
    if re.search(r"No \S+ host key is known for", text):
        return unknown_host(attempt, "")
    if "Host key verification failed" in text:
        return SpinstackError(
            f"the host key of {attempt.host} was not accepted",
            where=attempt.where,
            remedy="compare it with the fingerprints that the centre publishes, then try again",
        )
    return None


def _changed(text: str, attempt: Attempt) -> SpinstackError:
    key = re.search(r"The fingerprint for the (\S+) key .*\n(SHA256:\S+?)\.?$", text, re.M)
    known = re.search(r"Offending (?:\S+ )?key (?:for .* )?in (\S+)", text)
    told = [f"offered {key[1]} {key[2]}"] if key else []
    told += [f"known by {known[1]}"] if known else []
    return SpinstackError(
        f"the host key of {attempt.host} has CHANGED: somebody may be listening",
        where=", ".join(told) or attempt.where,
        remedy="ask the centre whether it changed its key; if it did, remove the line of that "
        "file by which it is known, and log in again",
    )


def unknown_host(attempt: Attempt, fingerprint: str) -> SpinstackError:
    """Nobody could be asked about the host's key."""
    return SpinstackError(
        f"the host key of {attempt.host} is not known",
        where=fingerprint or attempt.where,
        remedy="log in once with ssh in a terminal, compare the fingerprint with the one "
        "that the centre publishes, and accept it there",
    )


def _refused(text: str, attempt: Attempt) -> SpinstackError | None:
    denied = re.search(r"(?:(\S+@\S+): )?Permission denied \((\S*)\)", text)
    if not denied and "Too many authentication failures" not in text:
        return None
    # A host on the way, perhaps.
    name, ways = (denied[1] or attempt.name, denied[2]) if denied else (attempt.name, "")
    if ("keyboard-interactive" in ways or "password" in ways) and not attempt.asked:
        renew = prompt.RENEW if attempt.outdated else ""
        return UsageError(
            f"{name} asks for password and code, and there is no terminal to ask on",
            where=attempt.outdated or attempt.where,
            remedy=renew or "in a terminal: invoke login; or fetch a key first with sshproxy.sh",
        )
    if attempt.outdated:
        return SpinstackError(attempt.outdated, where=name, remedy=prompt.RENEW)
    told = f" (what it allows: {ways})" if ways else ""
    return SpinstackError(
        f"{name} refused the login: Authentication failed{told}",
        where="; ".join(re.findall(_NOTE, text)) or attempt.where,
        remedy=prompt.ONCE,
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
        for pattern, told in _UNREACHABLE:
            found = re.search(pattern, line)
            if found:
                named = found.groupdict()
                host, reason = named.get("host") or attempt.host, told or named["reason"]
                return SpinstackError(
                    f"the login node {attempt.host} can't be reached: "
                    f"{'' if host == attempt.host else f'{host}: '}{reason}",
                    where=attempt.where,
                    remedy=attempt.unreachable,
                )
    return None
