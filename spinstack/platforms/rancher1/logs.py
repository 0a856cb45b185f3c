"""The log of a service out of those of its containers.

`rancher logs` prints one container after the other, in no order that means anything: after
a failed upgrade the last words of the old container may follow those of the new one, which
has the same name. So the lines are asked for with their times, and put in that order.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from spinstack.platforms.rancher1.commands import rancher
from spinstack.transport.command import Command, Raw
from spinstack.transport.script import Step

# A line's container, where there are several, and its time as Docker writes it: UTC, so that
# texts sort as times do.
_LINE = re.compile(
    r"(?:(?P<container>[\w.-]+) \| )?"
    r"(?P<time>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z) ?(?P<text>.*)"
)


def in_order(output: str, lines: int) -> str:
    """The last `lines` lines of all containers (0 or less: all), oldest first, without their times.

    A line says its container where there are several of different names. Output without
    times is given back as it is.
    """
    found = [match for line in output.splitlines() if (match := _LINE.fullmatch(line))]
    if not found:
        return output
    several = len({match["container"] for match in found}) > 1
    ordered = sorted(found, key=lambda match: match["time"].rstrip("Z"))
    return "".join(
        (f"{match['container']} | " if several else "") + f"{match['text']}\n"
        for match in (ordered[-lines:] if lines > 0 else ordered)
    )


# Seconds after which a followed log that has ended is looked at again.
PAUSE = 2
# How far back it is read then; what was shown before is not shown again.
AGAIN = "60s"
ALL = -1


def log_words(stack: str, service: str, tail: int, since: str, *more: str) -> tuple[str, ...]:
    times = (f"--since={since}",) if since else ()
    return ("logs", *more, f"--tail={tail}", *times, f"{stack}/{service}")


@dataclass(frozen=True)
class Line:
    """A line of a log; `time` as Docker writes it, in UTC: it sorts as text."""

    time: str
    service: str
    container: str
    text: str


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
    first = Command("rancher", *log_words(stack, service, tail, since, *follow)).script()
    again = Command("rancher", *log_words(stack, service, ALL, AGAIN, *follow)).script()
    listed = rancher("ps", "--all", "--format", "{{.Name}}").script()
    there = f"{listed} | grep -qxF {shlex.quote(name)}"
    loop = f"{first}; while sleep {PAUSE}; {there}; do {again}; done"
    prefix = shlex.quote(f"s/^/{service}\t/")
    return f"( {loop} ) 2>&1 | sed -u {prefix}"
