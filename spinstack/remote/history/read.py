"""What happened to a stack, from its history: read, completed, shown in rows.

Records of deploys have the commit and the images of their release; others only name the release,
and are completed from those.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from spinstack import times
from spinstack.errors import UsageError
from spinstack.remote.history import place, record
from spinstack.remote.history.record import Record
from spinstack.transport.script import Script, ScriptResult

if TYPE_CHECKING:
    from spinstack.session import Session

HEADINGS = ["WHEN (UTC)", "WHO", "WHAT HAPPENED", "RELEASE", "COMMIT"]
# How many are shown by default.
NEWEST = 20
# Characters of a commit, and of what happened, in a row.
_COMMIT, _WHAT = 10, 72


def show(session: Session, since: str, limit: int, *, json: bool) -> None:
    """Print the history, newest last."""
    after = times.moment(since, datetime.now(timezone.utc)) if since else None
    if limit < 0:
        raise UsageError(f"--limit {limit} is negative", remedy="use, for example, --limit 50")
    with session.login_node() as node:
        step = place.of(session).read()
        found = records_in(session, node.run(Script((step,), seconds=60)))
    shown = newest(found, after, limit)
    if session.dry:
        return
    if json:
        session.console.json([asdict(one) for one in shown])
    elif shown:
        session.console.table(HEADINGS, rows(shown))
        if len(shown) < len(found):
            session.console.note(f"{len(shown)} of {len(found)}; --limit and --since show more")
    else:
        session.console.note(_nothing(session, found))


def _nothing(session: Session, found: Sequence[Record]) -> str:
    name = session.where
    if found:
        return f"{name}: no change since then; the last one was on {found[-1].when}"
    return f"{name} has no history yet; it begins with the next change, such as `invoke deploy`"


def records_in(session: Session, result: ScriptResult) -> list[Record]:
    """The history from what its step printed. Raises SpinstackError if it can't be read."""
    told = result[record.STEP]
    if not told.ok:
        raise place.of(session).unreadable(told)
    return filled(record.parse(told.output))


def filled(records: Sequence[Record]) -> list[Record]:
    """Each with what is known about its release: commit, changes, images."""
    known: dict[str, Record] = {}
    for one in records:
        if one.release and (one.commit or one.images) and one.release not in known:
            known[one.release] = one
    return [_with(one, known.get(one.release, one)) for one in records]


def _with(one: Record, known: Record) -> Record:
    if one.commit or one.images:
        return one
    return replace(one, commit=known.commit, dirty=known.dirty, images=known.images)


def ran_before(records: Sequence[Record], current: str) -> list[str]:
    """The releases that ran before the one that runs now, the last of them first. What was gone
    back from is not among them: nobody wants it again."""
    ran: list[str] = []
    for one in records:
        if one.outcome in (record.DONE, record.LEFT_OPEN) and one.release:
            known = [_content(it) for it in ran]
            if _content(one.release) in known:
                del ran[known.index(_content(one.release)) :]
            ran.append(one.release)
    known = [_content(it) for it in ran]
    end = known.index(_content(current)) if _content(current) in known else 0
    return ran[:end][::-1]


def _content(release: str) -> str:
    """The same files may have been uploaded more than once: an id ends in their hash."""
    return release[-8:]


def newest(records: Sequence[Record], since: datetime | None, limit: int) -> list[Record]:
    """Those after `since`, at most `limit`; 0: NEWEST, or all where `since` is given."""
    found = [one for one in records if since is None or one.moment >= since]
    most = limit or (len(found) if since else NEWEST)
    return found[-most:] if most else []


def rows(records: Sequence[Record]) -> list[list[str]]:
    """A row for each record, as HEADINGS names the columns."""
    return [
        [
            one.when[:16].replace("T", " "),
            f"{one.who}@{one.host}" if one.host else one.who,
            _short(happened(one)),
            one.release or "-",
            commit(one) or "-",
        ]
        for one in records
    ]


def happened(one: Record) -> str:
    """`scale web=3`, `deploy failed: web failed the health check`."""
    if one.outcome == record.DONE:
        return " ".join(filter(None, (one.doing, one.detail)))
    joint = " " if one.outcome == record.FAILED else ", "
    return f"{one.doing}{joint}{one.outcome}" + (f": {one.detail}" if one.detail else "")


def commit(one: Record) -> str:
    """`1a2b3c4d5e+changes`; empty if the stack was not in a repository."""
    return one.commit[:_COMMIT] + ("+changes" if one.commit and one.dirty else "")


def _short(text: str) -> str:
    return text if len(text) <= _WHAT else text[: _WHAT - 1].rstrip() + "…"
