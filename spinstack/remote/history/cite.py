"""`invoke cite`: one script on the login node reads the history, the checkouts and the address;
the stack's own repository is looked at on this machine.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from spinstack import times as typed_times
from spinstack.errors import SpinstackError, UsageError
from spinstack.platforms import base, health
from spinstack.remote.history import checkouts, citation, citation_text, place, read
from spinstack.remote.history.citation import Citation
from spinstack.transport.command import Command
from spinstack.transport.script import Script, ScriptResult

if TYPE_CHECKING:
    from spinstack.remote.history.checkouts import Source
    from spinstack.remote.history.record import Record
    from spinstack.session import Session


def show(session: Session, at: str, *, json: bool, bibtex: bool) -> None:
    """Print which code and images the site was made of at a given time (empty: now)."""
    if json and bibtex:
        raise UsageError("--json and --bibtex exclude each other", remedy="use only one of them")
    moment = _moment(at)
    sources = _checkouts(session)
    with session.login_node() as node:
        result = node.run(_script(session, sources, moment))
    records = read.records_in(session, result)
    if session.dry:
        return
    where = place.of(session).name
    found = citation.cite(records, moment or _newest(records), where)
    found = replace(
        found,
        address=_address(session, result),
        repository=_repository(session),
        code=checkouts.parse(result, sources),
    )
    _print(session, found, json=json, bibtex=bibtex)
    if typed_times.is_day(at):
        _warn_of_others(session, records, at, found.at)


def _moment(text: str) -> datetime | None:
    """The moment that was asked for; a day means its end. None for now."""
    now = datetime.now(timezone.utc)
    if not text:
        return None
    found = typed_times.moment(text, now, end_of_day=True)
    if typed_times.moment(text, now) <= now:
        return min(found, now)
    raise UsageError(
        f"{text} is in the future", remedy="give a time in the past, or leave out --at"
    )


def _newest(records: Sequence[Record]) -> datetime:
    """Now, or a little later if the login node's clock is fast."""
    return max([datetime.now(timezone.utc), *(one.moment for one in records)])


def _checkouts(session: Session) -> list[Source]:
    """The code that the stack mounts; none if its files can't be read just now."""
    try:
        sources = checkouts.sources(session.stack, session.destination)
    except SpinstackError:
        return []
    return [source for source in sources if source.checkout]


def _script(session: Session, sources: Sequence[Source], at: datetime | None) -> Script:
    """The script; only the history has to exist."""
    to = session.destination
    ready = replace(session.platform.ready(to), must=False)
    steps = (
        place.of(session).read(),
        checkouts.git_step(),
        *checkouts.look_steps(sources, at),
        *(ready, session.platform.states(must=False)),
    )
    return Script(steps, seconds=session.platform.quick + 60)


def _address(session: Session, result: ScriptResult) -> str:
    """Where the site is now; empty if it does not run."""
    output = result.output(session.platform.states().name)
    try:
        states = session.platform.read_states(output, session.settings.stack)
    except base.Garbled:
        return ""
    return health.site(states, session.destination)


def _repository(session: Session) -> str:
    """The stack's own repository, as others may see its address."""
    words = ("git", "-C", str(session.directory), "remote", "get-url", "origin")
    try:
        told = session.runner.run(Command(*words), timeout=10, changes=False)
    except SpinstackError:
        return ""
    return citation.public_url(told.stdout) if told.ok else ""


def _print(session: Session, found: Citation, *, json: bool, bibtex: bool) -> None:
    if json:
        session.console.json(citation_text.cff(found))
    elif bibtex:
        session.console.result(citation_text.bibtex(found))
    else:
        session.console.result("\n".join(citation_text.lines(found)))


def _warn_of_others(session: Session, records: Sequence[Record], day: str, end: datetime) -> None:
    """A day means its end, but may have had several releases."""
    others = citation.changed_between(records, typed_times.moment(day, end), end)
    if others:
        times = ", ".join(typed_times.told(one.moment) for one in others)
        session.console.warn(
            f"the site changed on that day ({times}); give --at a time to be exact"
        )
