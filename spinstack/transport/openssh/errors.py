"""OpenSSH's messages for a failed login, in the words of the other wire. Pure: text to errors."""

from __future__ import annotations

import re
from dataclasses import dataclass

from spinstack.console import known_errors
from spinstack.errors import SpinstackError, UsageError
from spinstack.text import split_lines
from spinstack.transport import prompt
from spinstack.transport.waits import Wait


@dataclass(frozen=True)
class Attempt:
    """A login that failed. `name`: the account; `host`, `port`: as in the settings, 0 for the
    default; `asked`: a person, or a file, could answer; `outdated`: what is wrong with a
    certificate, if anything; `unreachable`: what to do if the host does not respond; `way`: the
    jump host or ProxyCommand on the way to it; `unasking`: a line of the ssh config that keeps
    ssh from answering prompts, and how to change it; `by_hand`: the command that shows how a
    login goes."""

    name: str
    host: str
    port: int
    asked: bool
    outdated: str
    unreachable: str
    way: Wait | None = None
    unasking: tuple[str, str] | None = None
    by_hand: str = "ssh -v"

    @property
    def where(self) -> str:
        return f"{self.host}, port {self.port}" if self.port else self.host


# Characters of a line: more say nothing, and would take long to search.
_LONGEST = 1000
# Why a key was not used.
_NOTE = r"Load key .*|Permissions \d+ for .*|(?:Warning: )?Identity file .* not accessible.*"


class UnknownHost(SpinstackError):
    """There was no one to confirm the host's key."""


def explained(said: str, attempt: Attempt) -> SpinstackError:
    """The error for what ssh printed. Unknown text is shown as it is."""
    whole = (line.strip() for line in split_lines(said.replace("\r", "\n")))
    lines = [line[:_LONGEST] for line in whole if line]
    text = "\n".join(lines)
    return (
        _host_key(text, attempt)
        or _refused(text, attempt)
        or _configuration(text)
        or _unreachable(lines, attempt)
        or SpinstackError(
            f"ssh could not log in to {attempt.name}: {lines[-1] if lines else 'no message'}",
            where=attempt.where,
            remedy=f"see what `{attempt.by_hand}` prints",
            details=_end(lines),
        )
    )


def _host_key(text: str, attempt: Attempt) -> SpinstackError | None:
    known = known_errors.find(text, "ssh-login", {"host": attempt.host})
    if known is None:
        return None
    kind = UnknownHost if known.id == "ssh-host-unknown" else SpinstackError
    where = _keys(text) if known.id == "ssh-host-changed" else ""
    return kind(known.cause, where=where or attempt.where, remedy=known.remedy)


def _keys(text: str) -> str:
    """The key that a host offers, and where another is known; empty if ssh printed neither."""
    key = re.search(r"The fingerprint for the (\S+) key .*\n(SHA256:\S+?)\.?$", text, re.M)
    known = re.search(r"Offending (?:\S+ )?key (?:for .* )?in (\S+)", text)
    told = [f"offered {key[1]} {key[2]}"] if key else []
    told += [f"known by {known[1]}"] if known else []
    return ", ".join(told)


def _refused(text: str, attempt: Attempt) -> SpinstackError | None:
    # The last one: a banner can say anything.
    found = [*re.finditer(r"(?:(\S+@\S+): )?Permission denied \((\S*)\)", text)]
    denied = found[-1] if found else None
    if not denied:
        return _too_many_keys(text, attempt)
    # A host on the way, perhaps.
    name, ways = denied[1] or attempt.name, denied[2]
    prompts = "keyboard-interactive" in ways or "password" in ways
    if prompts and attempt.unasking:
        line, remedy = attempt.unasking
        return UsageError(
            f"{name} asks for password and code, but your ssh config keeps ssh from answering",
            where=f"{line}, for {attempt.host} in ~/.ssh/config or a file that it includes",
            remedy=remedy,
        )
    if prompts and not attempt.asked:
        renew = prompt.RENEW if attempt.outdated else ""
        return UsageError(
            f"{name} asks for password and code, but there is no terminal to answer on",
            where=attempt.outdated or attempt.where,
            remedy=renew or "run `invoke login` in a terminal, or get a key first with sshproxy.sh",
        )
    if attempt.outdated:
        return SpinstackError(attempt.outdated, where=name, remedy=prompt.RENEW)
    told = f" (it allows: {ways})" if ways else ""
    return SpinstackError(
        f"{name} refused the login: Authentication failed{told}",
        where="; ".join(re.findall(_NOTE, text)) or attempt.where,
        remedy=prompt.ONCE if prompts else prompt.KEYS,
    )


def _too_many_keys(text: str, attempt: Attempt) -> SpinstackError | None:
    """The host gave up before it asked for anything: no code was wrong."""
    offered = "Too many authentication failures"
    known = known_errors.explain(offered) if offered in text else None
    if known is None:
        return None
    what = f"{attempt.name} refused the login: {offered}"
    return SpinstackError(what, where=attempt.where, remedy=known.remedy)


def _configuration(text: str) -> SpinstackError | None:
    known = known_errors.find(text, "ssh-config")
    if known is None:
        return None
    return UsageError(known.cause, where=known.named["line"], remedy=known.remedy)


def _unreachable(lines: list[str], attempt: Attempt) -> SpinstackError | None:
    """The first known line counts: later ones are consequences of it."""
    fields = {"unreachable": attempt.unreachable}
    for line in lines:
        known = known_errors.find(line, "ssh-connect", fields)
        if known:
            break
    else:
        return None
    host, way = known.named.get("host", ""), attempt.way
    if way and not host:
        # It ended or was silent; what it printed about that, if anything, says more.
        error = way.error(known.cause)
        error.details = _end(lines)
        return error
    other = f"{host}: " if host and host != attempt.host else ""
    return SpinstackError(
        f"the login node {attempt.host} can't be reached: {other}{known.cause}",
        where=way.where if way and other else attempt.where,
        remedy=way.remedy if way and other else known.remedy,
    )


def _end(lines: list[str]) -> str:
    return "\n".join(lines[-12:])
