"""Which code and images made a site at a given time, from the history of its stack. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import urlsplit

from spinstack import times
from spinstack.errors import SpinstackError
from spinstack.remote.history.checkouts import Code
from spinstack.remote.history.record import DONE, LEFT_OPEN, Record

# What puts another release into service, and how it ended: an unconfirmed upgrade runs, too.
_MAKES = {
    *((doing, DONE) for doing in ("deploy", "up", "upgrade", "confirm", "rollback")),
    ("upgrade", LEFT_OPEN),
}
_ENDS = ("stop", "rm")


@dataclass(frozen=True)
class Citation:
    """The site at a given time. `made`: the record of what made it so; `ended`: of what stopped or
    removed it before that time, `without`: the same for single services. `address`: where it is
    now; `repository`: the stack's own; `code`: what it mounts."""

    at: datetime
    made: Record
    ended: Record | None = None
    without: Mapping[str, Record] = field(default_factory=dict)
    address: str = ""
    repository: str = ""
    code: tuple[Code, ...] = ()


def cite(records: Sequence[Record], at: datetime, where: str) -> Citation:
    """What the site was made of at a given time. `where`: the history, for the error. Raises
    SpinstackError if it does not go back that far."""
    made: Record | None = None
    ended: Record | None = None
    without: dict[str, Record] = {}
    for one in records:
        if one.moment > at:
            break
        if (one.doing, one.outcome) in _MAKES:
            made, ended = one, None
            without.clear()
        elif one.outcome == DONE and one.doing in _ENDS:
            ended = ended if one.detail else one
            without.update({one.detail: one} if one.detail else {})
        elif one.outcome == DONE and one.doing in ("start", "restart"):
            ended = ended if ended and ended.doing == "rm" else None
            without = {} if not one.detail else _less(without, one.detail)
    if made is None or not made.release:
        raise _too_early(records, at, where)
    return Citation(at, made, ended, without)


def _less(without: Mapping[str, Record], service: str) -> dict[str, Record]:
    return {name: one for name, one in without.items() if name != service}


def _too_early(records: Sequence[Record], at: datetime, where: str) -> SpinstackError:
    makers = [one for one in records if (one.doing, one.outcome) in _MAKES and one.release]
    if makers:
        remedy = f"use --at {makers[0].when} or later; `invoke releases` shows older uploads"
    else:
        remedy = (
            "see `invoke releases` for uploads; the history begins with the next `invoke deploy`"
        )
    what = f"the history does not go back to {times.told(at)}"
    return SpinstackError(what, where=where, remedy=remedy)


def changed_between(records: Sequence[Record], begin: datetime, end: datetime) -> list[Record]:
    """What put another release into service between two moments."""
    makers = [one for one in records if (one.doing, one.outcome) in _MAKES]
    return [one for one in makers if begin <= one.moment <= end]


def public_url(remote: str) -> str:
    """A repository's address as others may see it: without user name and password; empty for a
    directory on somebody's machine."""
    remote = remote.strip()
    scp = re.fullmatch(r"(?:[^@/:\s]+@)?([\w.-]+):([^/\s][^\s]*|/[^/\s][^\s]*)", remote)
    if scp and "://" not in remote:
        return f"ssh://{scp[1]}/{scp[2].lstrip('/')}"
    try:
        parts = urlsplit(remote)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return ""
    if parts.scheme not in ("http", "https", "ssh", "git") or not parts.hostname:
        return ""
    return f"{parts.scheme}://{parts.hostname}{port}{parts.path}"
