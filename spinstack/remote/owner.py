"""Who did, or is doing, something with the stack: as noted in small files there. Pure."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, fields, replace
from datetime import datetime, timezone

from spinstack.transport.script import json_object


@dataclass(frozen=True)
class Owner:
    """Somebody did, or is doing, something: who, from which machine (and process), since when
    (ISO 8601, UTC), with which release; `previous` is the one that ran before it. `job`: the
    change that runs on its own on the login node."""

    who: str
    host: str
    pid: int = 0
    when: str = ""
    doing: str = ""
    release: str = ""
    previous: str = ""
    nonce: str = ""
    job: str = ""

    def text(self) -> str:
        """One line of JSON."""
        return json.dumps(asdict(self), ensure_ascii=True)

    def told(self) -> str:
        """For a person: `alice on laptop since 2025-11-03 04:05 UTC`."""
        when = self.when[:16].replace("T", " ")
        return f"{self.who} on {self.host}" + (f" since {when} UTC" if when else "")

    def is_of(self, other: Owner) -> bool:
        """Whether the same person made both, from the same machine."""
        return (self.who, self.host) == (other.who, other.host)


def make_owner(who: str, host: str, doing: str, **more: str) -> Owner:
    """The mark of this process, now."""
    import secrets

    nonce = secrets.token_hex(6)
    return Owner(who, host, os.getpid(), now(), doing=doing, nonce=nonce, **more)


def for_job(owner: Owner, job: str) -> Owner:
    """The mark of a change that runs on its own on the login node."""
    return replace(owner, job=job)


def parse_owner(output: str) -> Owner | None:
    """The mark in what `cat` printed; None if none can be read."""
    value = json_object(output)
    if value is None or not isinstance(value.get("who"), str):
        return None
    known = {item.name for item in fields(Owner)}
    texts = {key: value[key] for key in known & value.keys() if isinstance(value[key], str)}
    pid = value.get("pid")
    return Owner(**{"host": "?", **texts, "pid": pid if isinstance(pid, int) else 0})


def now() -> str:
    """This moment as ISO 8601 in UTC, to the second."""
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
