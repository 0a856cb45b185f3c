"""Logs of services: the last lines, or new lines as they come, each with its service's name."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from threading import Thread
from typing import TYPE_CHECKING

from spinstack import times
from spinstack.console import known_errors
from spinstack.errors import SpinstackError, UsageError
from spinstack.operate import visits
from spinstack.operate.control import chosen
from spinstack.operate.selection import check_name, service_names
from spinstack.operate.status import until_ctrl_c
from spinstack.platforms import base
from spinstack.platforms.base import ALL, LogLine, LogQuery, ServiceState
from spinstack.platforms.client import StackClient
from spinstack.platforms.logs import in_order
from spinstack.remote.access import connected
from spinstack.text import whole_number
from spinstack.transport.script import ScriptResult, Step, StepResult

if TYPE_CHECKING:
    from spinstack.session import Session

# Called with each line.
Show = Callable[[LogLine], None]

# Lines of each service by default.
LINES = 100
# Seconds: before any log.
_LONG_AGO = 10**9
# How many of the last lines are searched for known errors.
EXPLAINED = 2000


def logs(
    session: Session, service: str, *, follow: bool, tail: str, since: str, json: bool
) -> None:
    """Show what the services print, and in the end what is known about the errors in it."""
    query = wanted(session, service, tail, since)
    heard: deque[str] = deque(maxlen=EXPLAINED)
    # Beside the wait for the other end.
    loading = Thread(target=known_errors.load, daemon=True)
    if not json:
        loading.start()
    with connected(session) as there:
        # Asked in a second script, their logs would take another round trip.
        expected = [name for name in service_names(session) if service in ("", name)]
        states, found = ask(there, [] if follow else expected, query)
        names = _names(session, there, states, service)
        printer = Printer(session, names, json=json, heard=heard)

        def tell() -> None:
            if follow:
                follow_lines(there, names, query, printer.show)
            else:
                show(there, names, query, found, printer.show)

        until_ctrl_c(session, tell)
    if json:
        return
    loading.join()
    for note in known_errors.notes(heard, session.console.stack):
        session.console.note(note)


def wanted(session: Session, service: str, tail: str, since: str) -> LogQuery:
    """What was typed. Raises UsageError before anybody has to log in."""
    query = LogQuery(lines_wanted(tail, since), moment(since))
    check_name(session, service)
    return query


def _names(
    session: Session, there: StackClient, states: Sequence[ServiceState], service: str
) -> list[str]:
    """The services that are meant. Raises SpinstackError if there are none."""
    names = [state.name for state in chosen(states, service, there.stack)]
    if session.dry:
        return [service] if service else service_names(session)
    if not names:
        raise SpinstackError(
            f"{there.stack} is not running", where=there.where, remedy="run `invoke deploy`"
        )
    return names


def lines_wanted(tail: str, since: str) -> int:
    """How many lines were asked for, -1 for all. Raises UsageError."""
    if not tail:
        return ALL if since else LINES
    if tail == "all":
        return ALL
    number = whole_number(tail)
    if number is None or number < 0:
        raise UsageError(f"--tail {tail} is not a number", remedy="use --tail 100 or --tail all")
    return number


def moment(since: str) -> str:
    """`10m`, `2h30m`, `1d` or an ISO 8601 time, in the form that the CLI takes. Raises
    UsageError."""
    if not since or _is_moment(since):
        return since
    before = times.seconds(since)
    if before is None or before > _LONG_AGO:
        raise UsageError(
            f"--since {since} is not a time",
            remedy="use, for example, 10m, 2h, 1d or 2026-01-31T04:05:00Z",
        )
    return f"{before}s"


def _is_moment(text: str) -> bool:
    """Whether it is a date and time with a time zone: without one, the node's would count."""
    try:
        return datetime.fromisoformat(text.replace("Z", "+00:00")).tzinfo is not None
    except ValueError:
        return False


def ask(
    there: StackClient, expected: Sequence[str], query: LogQuery
) -> tuple[list[ServiceState], dict[str, StepResult]]:
    """What runs and, in the same script, the logs of the services that are expected to: what was
    printed, by service. The log of a service that does not exist is an error of its own step."""
    states = there.platform.states()
    result, found = _read(there, expected, query, states)
    return there.read_states(result.output(states.name)), found


def show(
    there: StackClient,
    services: Sequence[str],
    query: LogQuery,
    found: Mapping[str, StepResult],
    on_line: Show,
) -> None:
    """Show the last lines of each service, all of them in order of time. `found`: what was printed
    already, by service."""
    if missing := [name for name in services if name not in found]:
        found = {**found, **_read(there, missing, query)[1]}
    lines: list[LogLine] = []
    for name in services:
        done = found[name]
        if not done.ok:
            raise there.failure(done, f"could not read the log of {name}")
        lines += in_order(there.platform.read_log(done.output, there.stack, name), query.tail)
    for line in in_order(lines, ALL):
        on_line(line)


def _read(
    there: StackClient, services: Sequence[str], query: LogQuery, *first: Step
) -> tuple[ScriptResult, dict[str, StepResult]]:
    """Run a script with the logs of services, by service, after other steps."""
    steps = {name: there.platform.log(there.stack, name, query) for name in services}
    quick = there.platform.quick * (len(first) + len(steps))
    result = there.run(*first, *steps.values(), seconds=quick + 60)
    return result, {name: result[step.name] for name, step in steps.items()}


class News:
    """Tells new lines from those already shown, by the times of each container."""

    def __init__(self) -> None:
        self._latest: dict[tuple[str, str], tuple[str, set[str]]] = {}

    def has(self, line: LogLine) -> bool:
        """Whether the line is new; one without a time counts as new."""
        key = (line.service, line.container)
        time, texts = self._latest.get(key, ("", set()))
        if not line.time:
            return True
        if line.time < time or (line.time == time and line.text in texts):
            return False
        self._latest[key] = (line.time, {line.text, *(texts if line.time == time else ())})
        return True


def follow_lines(
    there: StackClient, services: Sequence[str], query: LogQuery, on_line: Show
) -> None:
    """Follow the logs of all services at once, until Ctrl-C or until they are removed."""
    news = News()
    follow = there.platform.follow_logs(there.stack, services, query)

    def take(step: str, written: str) -> bool:
        name, tab, text = written.partition("\t")
        if step == follow.name and tab and name in services:
            for line in filter(news.has, there.platform.read_log(text, there.stack, name)):
                on_line(line)
        return False

    there.run(follow, seconds=base.DAY, endless=True, on_line=take)


COLOURS = ("cyan", "yellow", "green", "magenta", "blue")


class Printer:
    """Prints lines: names in front if there are several services, in colour on a terminal that
    supports it (by rich's rules). `heard`: collects the text of each."""

    def __init__(
        self, session: Session, names: Sequence[str], *, json: bool, heard: deque[str]
    ) -> None:
        self._console = session.console
        self._heard = heard
        self._width = max(map(len, names)) if len(names) > 1 else 0
        self._colours = {name: COLOURS[i % len(COLOURS)] for i, name in enumerate(names)}
        self.show: Show = self._json if json else self._text

    def _json(self, line: LogLine) -> None:
        entry = {"service": line.service, "container": line.container, "text": line.text}
        self._console.json(entry, indent=None)

    def _text(self, line: LogLine) -> None:
        self._heard.append(line.text)
        label = line.container or (line.service if self._width else "")
        prefix = f"{label:<{self._width}} | " if label else ""
        self._console.verbatim(visits.shown(line.text), prefix, self._colours.get(line.service, ""))
