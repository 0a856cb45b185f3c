"""Logs of services: the last lines, or all of them as they come, each under its name."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from spinstack import cattle, moments
from spinstack.cattle import rancher
from spinstack.command import Command, Raw
from spinstack.errors import UsageError
from spinstack.on_rancher import OnRancher
from spinstack.script import Step

# Given a service's name, its container (`app-2`; empty where it has but one) and a line.
Show = Callable[[str, str, str], None]

# Lines of each service when nothing else is said.
LINES = 100
# Seconds after which a followed log that has ended is looked at again.
PAUSE = 2
# How far back it is read then; what was shown before is not shown again.
AGAIN = "60s"
_ALL = -1


def lines_wanted(tail: str, since: str) -> int:
    """How many lines are asked for, -1 for all. Raises UsageError."""
    if not tail:
        return _ALL if since else LINES
    if tail == "all":
        return _ALL
    if not tail.isdecimal():
        raise UsageError(f"{tail!r} is no number of lines", remedy="--tail 100, or --tail all")
    return int(tail)


def moment(since: str) -> str:
    """`10m`, `2h30m`, `1d` or an ISO 8601 moment as the CLI takes it. Raises UsageError."""
    if not since or _is_moment(since):
        return since
    before = moments.seconds(since)
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


def _words(stack: str, service: str, tail: int, since: str, *more: str) -> tuple[str, ...]:
    times = (f"--since={since}",) if since else ()
    return ("logs", *more, f"--tail={tail}", *times, f"{stack}/{service}")


def show(there: OnRancher, services: Sequence[str], tail: int, since: str, on_line: Show) -> None:
    """The last lines of each service, all of them in the order of time."""
    steps = {
        name: Step(
            f"logs of {name}",
            (rancher(*_words(there.stack, name, tail, since, "--timestamps")),),
            must=False,
        )
        for name in services
    }
    result = there.run(*steps.values(), seconds=cattle.QUICK * len(steps) + 60)
    found: list[Line] = []
    for name, step in steps.items():
        done = result[step.name]
        if not done.ok:
            raise there.failure(done, f"the log of {name} could not be read")
        lines = sorted(timed(done.output, name, there.stack), key=lambda line: line.time)
        found += lines[-tail:] if tail > 0 else lines
    for line in sorted(found, key=lambda line: line.time):
        on_line(line.service, line.container, line.text)


@dataclass(frozen=True)
class Line:
    """A line of a log; `time` as Docker writes it, in UTC: it sorts as text."""

    time: str
    service: str
    container: str
    text: str


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


_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?)Z ?")


def timed(output: str, service: str, stack: str) -> Iterator[Line]:
    """The lines of a log with their times; one without belongs to the line before it."""
    time = ""
    for written in output.rstrip("\n").split("\n") if output.strip() else ():
        container, text = _split(written, service, stack)
        stamp = _TIME.match(text)
        if stamp:
            time, text = stamp[1], text[stamp.end() :]
        yield Line(time, service, container, text)


def _split(line: str, service: str, stack: str) -> tuple[str, str]:
    """The container that the CLI put in front, where there are several, and the rest."""
    match = re.match(rf"{re.escape(stack)}-({re.escape(service)}-\d+) \| ", line)
    return (match[1], line[match.end() :]) if match else ("", line)


def follow(there: OnRancher, services: Sequence[str], tail: int, since: str, on_line: Show) -> None:
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
    there.run(step, seconds=cattle.DAY, endless=True, on_line=take)


def follow_step(stack: str, services: Sequence[str], tail: int, since: str) -> Step:
    """A job for each service, with process groups of their own (`set -m`), so that ending
    one ends all of it. Descriptor 3 ends when we leave, however we leave: then they end."""
    jobs = [f"{_job(stack, name, tail, since)} &" for name in services]
    end = "for job in $jobs; do kill -- -$job; done 2>/dev/null"
    lines = [
        "set -m",
        *jobs,
        "jobs=$(jobs -p)",
        # A group of its own too, which ends when the logs do.
        f"( while read -r -u 3 _; do :; done; {end} ) >/dev/null 2>&1 & guard=$!",
        "set +m",
        "wait $jobs 2>/dev/null",
        "kill -- -$guard 2>/dev/null",
        "true",
    ]
    return Step("follow", (Command(Raw("\n".join(lines))),), must=False)


def _job(stack: str, service: str, tail: int, since: str) -> str:
    """Follows a service, also through a restart or an upgrade, at which the CLI's following
    ends once the last container has: what the first one printed since then is asked for
    again. It asks `ps` first: `logs` of a stack that is gone would make it anew."""
    name = f"{stack}/{service}"
    follow = ("--follow", "--timestamps")
    first = Command("rancher", *_words(stack, service, tail, since, *follow)).script()
    again = Command("rancher", *_words(stack, service, _ALL, AGAIN, *follow)).script()
    listed = rancher("ps", "--all", "--format", "{{.Name}}").script()
    there = f"{listed} | grep -qxF {shlex.quote(name)}"
    loop = f"{first}; while sleep {PAUSE}; {there}; do {again}; done"
    prefix = shlex.quote(f"s/^/{service}\t/")
    return f"( {loop} ) 2>&1 | sed -u {prefix}"
