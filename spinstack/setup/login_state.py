"""The state of a login, and how long it will still last."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spinstack import times
from spinstack.transport import certificate as transport_certificate
from spinstack.transport.connect import LAPTOP, OPENSSH

if TYPE_CHECKING:
    from spinstack.config.settings import Destination
    from spinstack.transport.openssh.master import Alive

NOT_NEEDED = "no login is needed: kubectl runs on this machine"
BY_ITSELF = "each command logs in separately, and no login is kept (wire: fabric)"


@dataclass(frozen=True)
class LoginState:
    """What the next command will find at a destination. `name`: the account; `answered`: a file
    answers the prompt, as in rehearsals; `master`: the master connection, if there is one;
    `certificates`: of the keys of a login, or that or the token of a kubeconfig."""

    destination: str
    name: str
    wire: str
    answered: bool
    master: Alive | None
    certificates: tuple[Certificate, ...]

    def logged_in(self, now: float) -> bool:
        """Whether there is a master; on a wire without one, whether a certificate is valid; on this
        machine, whether what the kubeconfig has is not outdated."""
        if self.wire == OPENSSH:
            return self.master is not None
        if self.wire == LAPTOP:
            # A kubeconfig may not say until when it is valid.
            return all(certificate.valid(now) for certificate in self.certificates)
        return any(certificate.valid(now) for certificate in self.certificates)

    def lines(self, now: float) -> list[str]:
        """For a person: the login, then each key."""
        told = [f"login  {self.name}: {self._login(now)}"]
        told += [f"key    {found.key}: {found.told(now)}" for found in self.certificates]
        if not self.certificates and not self.answered and self.wire != LAPTOP:
            told.append("key    none with a certificate; `invoke login --sshproxy` gets one")
        return told

    def _login(self, now: float) -> str:
        if self.wire != OPENSSH:
            return NOT_NEEDED if self.wire == LAPTOP else BY_ITSELF
        if self.master:
            return kept(self.master)
        if self.answered:
            return "not logged in; the next command logs in, a file answers the prompt"
        if any(certificate.valid(now) for certificate in self.certificates):
            return "not logged in; the next command logs in with the key"
        return "not logged in; run `invoke login`"

    def as_dict(self, now: float) -> dict[str, Any]:
        """For a script; times in ISO 8601, durations in seconds."""
        master = self.master and {
            "pid": self.master.pid,
            "since": iso(self.master.since),
            "until": iso(self.master.until),
            "seconds_left": round(self.master.left),
        }
        return {
            "destination": self.destination,
            "login": self.name,
            "wire": self.wire,
            "logged_in": self.logged_in(now),
            "master": master,
            "certificates": [found.as_dict(now) for found in self.certificates],
        }


def kept(master: Alive) -> str:
    """How long an open login has lasted, and still will."""
    left = lasting(master.left)
    return f"logged in since {moment(master.since)}; ends in {left} unless it is used"


@dataclass(frozen=True)
class Certificate:
    """The certificate of a private key, as sshproxy.sh writes it; times in seconds since 1970.
    Valid for ever without an `end`."""

    key: Path
    begin: float
    end: float | None

    def valid(self, now: float) -> bool:
        return self.begin <= now and (self.end is None or now < self.end)

    def told(self, now: float) -> str:
        """How long it is valid, in words."""
        if self.begin > now:
            return f"not valid before {moment(self.begin)}; check this machine's clock"
        if self.end is None:
            return "valid for ever"
        if self.end <= now:
            return f"expired on {moment(self.end)}"
        return f"valid for another {lasting(self.end - now)}, until {moment(self.end)}"

    def as_dict(self, now: float) -> dict[str, Any]:
        left = None if self.end is None else max(0, round(self.end - now))
        return {
            "key": str(self.key),
            "valid": self.valid(now),
            "valid_from": iso(self.begin),
            "valid_until": None if self.end is None else iso(self.end),
            "seconds_left": left,
        }


def certificates(destination: Destination) -> list[Certificate]:
    """The certificates of the keys that a login at the destination may use."""
    proxied = Path(destination.centre.sshproxy.key).expanduser()
    keys = [destination.identity_file] if destination.identity_file else []
    # The key of a collaboration account is named after it.
    keys += [proxied, *([proxied.with_name(destination.user)] if destination.user else [])]
    return list(_certificates(dict.fromkeys(key.expanduser() for key in keys)))


def _certificates(keys: dict[Path, None]) -> Iterator[Certificate]:
    for key in keys:
        validity = transport_certificate.validity(key)
        if validity and key.exists():
            begin, end = validity
            yield Certificate(key, begin, None if end == transport_certificate.FOREVER else end)


def lasting(seconds: float) -> str:
    """A duration in words: `9 h 48 min`, `12 min`, `40 s`."""
    whole = max(0, int(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def moment(seconds: float) -> str:
    return f"{times.after_1970(seconds):%Y-%m-%d %H:%M} UTC"


def iso(seconds: float) -> str:
    """For a script: ISO 8601 with time zone."""
    return f"{times.after_1970(seconds):%Y-%m-%dT%H:%M:%SZ}"


def now() -> float:
    return time.time()
