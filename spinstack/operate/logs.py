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
from spinstack.operate.selection import check_name, rancher, service_names
from spinstack.platforms import base
from spinstack.platforms.client import StackClient
from spinstack.platforms.rancher1 import commands
from spinstack.platforms.rancher1.logs import ALL, Line, follow_step, log_words, timed
from spinstack.transport.script import Step

if TYPE_CHECKING:
    from spinstack.session import Session
from spinstack.operate.status import until_ctrl_c

# Given a service's name, its container (`app-2`; empty where it has but one) and a line.
Show = Callable[[str, str, str], None]

# Lines of each service when nothing else is said.
LINES = 100


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


def show(there: StackClient, services: Sequence[str], tail: int, since: str, on_line: Show) -> None:
    """The last lines of each service, all of them in the order of time."""
    steps = {
        name: Step(
            f"logs of {name}",
            (commands.rancher(*log_words(there.stack, name, tail, since, "--timestamps")),),
            must=False,
        )
        for name in services
    }
    result = there.run(*steps.values(), seconds=base.QUICK * len(steps) + 60)
    found: list[Line] = []
    for name, step in steps.items():
        done = result[step.name]
        if not done.ok:
            raise there.failure(done, f"the log of {name} could not be read")
        lines = sorted(timed(done.output, name, there.stack), key=lambda line: line.time)
        found += lines[-tail:] if tail > 0 else lines
    for line in sorted(found, key=lambda line: line.time):
        on_line(line.service, line.container, line.text)


class News:
    """Tells new lines from those that were followed before, by the times of a container."""

    def __init__(self) -> None:
        self._latest: dict[tuple[str, str], tuple[str, set[str]]] = {}

    def has(self, line: Line) -> bool:
        """Whether the line was not there yet; one without a time counts as new."""
        key = (line.service, line.container)
        time, texts = self._latest.get(key, ("", set()))
        if not line.time:
            return True
        if line.time < time or (line.time == time and line.text in texts):
            return False
        self._latest[key] = (line.time, {line.text, *(texts if line.time == time else ())})
        return True


def follow(
    there: StackClient, services: Sequence[str], tail: int, since: str, on_line: Show
) -> None:
    """All services at once, as their logs grow, until Ctrl-C or until they are removed."""
    news = News()

    def take(step: str, written: str) -> bool:
        name, tab, text = written.partition("\t")
        if step == "follow" and tab and name in services:
            for line in timed(text, name, there.stack):
                if news.has(line):
                    on_line(name, line.container, line.text)
        return False

    step = follow_step(there.stack, services, tail, since)
    there.run(step, seconds=base.DAY, endless=True, on_line=take)


# Lines of a log, the last ones, that are looked through for known errors.
EXPLAINED = 2000


def logs(
    session: Session, service: str, *, follow: bool, tail: str, since: str, json: bool
) -> None:
    """What the services print; what is known about the errors in it comes last."""
    from spinstack.operate import logs as operate_logs

    wanted, after = operate_logs.lines_wanted(tail, since), operate_logs.moment(since)
    check_name(session, service)
    with rancher(session) as there:
        states = chosen(there.states(), service, there.stack)
        names = [state.name for state in states]
        if session.dry:
            names = [service] if service else service_names(session)
        if not names:
            raise SpinstackError(
                f"{there.stack} does not run", where=there.where, remedy="invoke deploy"
            )
        printer = _printer(session, names, json)
        heard: deque[str] = deque(maxlen=EXPLAINED)

        def show(service: str, container: str, line: str) -> None:
            heard.append(line)
            printer(service, container, line)

        read = operate_logs.follow if follow else operate_logs.show
        until_ctrl_c(session, lambda: read(there, names, wanted, after, show))
    if json:
        return
    from spinstack.console import known_errors

    for note in known_errors.notes(heard, session.console.stack):
        session.console.note(note)


COLOURS = ("cyan", "yellow", "green", "magenta", "blue")


def _printer(session: Session, names: list[str], json: bool) -> Callable[[str, str, str], None]:
    """Prints a line of a service; names in front where there are several, coloured on a
    terminal that can (rich's rules)."""
    coloured = None if json else _coloured(names)
    width = max(map(len, names)) if len(names) > 1 else 0

    def show(service: str, container: str, line: str) -> None:
        label = container or (service if width else "")
        prefix = f"{label:<{width}} | " if label else ""
        if json:
            entry = {"service": service, "container": container, "text": line}
            session.console.result(jsons.dumps(entry, ensure_ascii=False))
        elif coloured:
            coloured(service, prefix, line)
        else:
            session.console.result(prefix + line)

    return show


def _coloured(names: list[str]) -> Callable[[str, str, str], None] | None:
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
