"""Logs of services: the last lines, or all of them as they come, each under its name."""

from __future__ import annotations

import json as jsons
import sys
from collections import deque
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from spinstack import times
from spinstack.console.terminal import is_plain
from spinstack.errors import SpinstackError, UsageError
from spinstack.operate.control import chosen
from spinstack.operate.selection import check_name, service_names
from spinstack.operate.status import until_ctrl_c
from spinstack.platforms import base
from spinstack.platforms.base import ALL, LogLine, LogQuery
from spinstack.platforms.client import StackClient
from spinstack.platforms.logs import in_order
from spinstack.remote.access import connected

if TYPE_CHECKING:
    from spinstack.session import Session

# Given each line.
Show = Callable[[LogLine], None]

# Lines of each service when nothing else is said.
LINES = 100
# Lines of a log, the last ones, that are looked through for known errors.
EXPLAINED = 2000


def logs(
    session: Session, service: str, *, follow: bool, tail: str, since: str, json: bool
) -> None:
    """What the services print; what is known about the errors in it comes last."""
    query = LogQuery(lines_wanted(tail, since), moment(since))
    check_name(session, service)
    heard: deque[str] = deque(maxlen=EXPLAINED)
    with connected(session) as there:
        names = _names(session, there, service)
        printer = Printer(session, names, json=json, heard=heard)
        read = follow_lines if follow else show
        until_ctrl_c(session, lambda: read(there, names, query, printer.show))
    if json:
        return
    from spinstack.console import known_errors

    for note in known_errors.notes(heard, session.console.stack):
        session.console.note(note)


def _names(session: Session, there: StackClient, service: str) -> list[str]:
    """The services that are meant. Raises SpinstackError if none is there."""
    names = [state.name for state in chosen(there.states(), service, there.stack)]
    if session.dry:
        return [service] if service else service_names(session)
    if not names:
        raise SpinstackError(
            f"{there.stack} does not run", where=there.where, remedy="invoke deploy"
        )
    return names


def lines_wanted(tail: str, since: str) -> int:
    """How many lines are asked for, -1 for all. Raises UsageError."""
    if not tail:
        return ALL if since else LINES
    if tail == "all":
        return ALL
    if not tail.isdecimal():
        raise UsageError(f"{tail!r} is no number of lines", remedy="--tail 100, or --tail all")
    return int(tail)


def moment(since: str) -> str:
    """`10m`, `2h30m`, `1d` or an ISO 8601 moment as the CLI takes it. Raises UsageError."""
    if not since or _is_moment(since):
        return since
    before = times.seconds(since)
    if before is None:
        raise UsageError(
            f"{since!r} is no time", remedy="--since 10m, 2h, 1d, or 2026-01-31T04:05:00Z"
        )
    return f"{before}s"


def _is_moment(text: str) -> bool:
    """A date with a time; the zone must be told, or else it would be the node's."""
    try:
        return datetime.fromisoformat(text.replace("Z", "+00:00")).tzinfo is not None
    except ValueError:
        return False


def show(there: StackClient, services: Sequence[str], query: LogQuery, on_line: Show) -> None:
    """The last lines of each service, all of them in the order of time."""
    platform = there.platform
    steps = {name: platform.log(there.stack, name, query) for name in services}
    result = there.run(*steps.values(), seconds=platform.quick * len(steps) + 60)
    found: list[LogLine] = []
    for name, step in steps.items():
        done = result[step.name]
        if not done.ok:
            raise there.failure(done, f"the log of {name} could not be read")
        found += in_order(platform.read_log(done.output, there.stack, name), query.tail)
    for line in in_order(found, ALL):
        on_line(line)


class News:
    """Tells new lines from those that were followed before, by the times of a container."""

    def __init__(self) -> None:
        self._latest: dict[tuple[str, str], tuple[str, set[str]]] = {}

    def has(self, line: LogLine) -> bool:
        """Whether the line was not there yet; one without a time counts as new."""
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
    """All services at once, as their logs grow, until Ctrl-C or until they are removed."""
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
    """Prints lines: names in front where there are several services, coloured on a terminal
    that can (rich's rules). `heard`: given the text of each."""

    def __init__(
        self, session: Session, names: Sequence[str], *, json: bool, heard: deque[str]
    ) -> None:
        self._console = session.console
        self._heard = heard
        self._width = max(map(len, names)) if len(names) > 1 else 0
        self._print = (None if json else _coloured(names)) or self._print_plain
        self.show: Show = self._json if json else self._text

    def _json(self, line: LogLine) -> None:
        entry = {"service": line.service, "container": line.container, "text": line.text}
        self._console.result(jsons.dumps(entry, ensure_ascii=False))

    def _text(self, line: LogLine) -> None:
        self._heard.append(line.text)
        label = line.container or (line.service if self._width else "")
        prefix = f"{label:<{self._width}} | " if label else ""
        self._print(line.service, prefix, line.text)

    def _print_plain(self, service: str, prefix: str, text: str) -> None:
        self._console.result(prefix + text)


def _coloured(names: Sequence[str]) -> Callable[[str, str, str], None] | None:
    """Prints the prefix in the colour of its service; None where there are no colours."""
    if is_plain(sys.stdout):
        return None
    from rich.console import Console
    from rich.text import Text

    out = Console(highlight=False, soft_wrap=True)
    colours = {name: COLOURS[i % len(COLOURS)] for i, name in enumerate(names)}

    def show(service: str, prefix: str, line: str) -> None:
        out.print(Text.assemble((prefix, colours[service]), line))

    return show if out.is_terminal else None
