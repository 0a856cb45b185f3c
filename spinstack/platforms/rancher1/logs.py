"""Logs of services: requested with times, read into lines."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path

from spinstack.platforms.base import ALL, LogLine, LogQuery
from spinstack.platforms.rancher1.commands import rancher
from spinstack.transport.command import Command, Raw, program
from spinstack.transport.script import Step

# Seconds after which a followed log that has ended is read again.
PAUSE = 2
# How far back it is then read; lines already shown are not shown again.
AGAIN = LogQuery(ALL, "60s")

_FOLLOW = Path(__file__).with_name("follow.sh")

# The time as Docker writes it.
_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?)Z ?")


def log_step(stack: str, service: str, query: LogQuery) -> Step:
    """`rancher logs` prints one container after the other, in no particular order."""
    call = rancher("logs", "--timestamps", *_flags(query), f"{stack}/{service}")
    return Step(f"logs of {service}", (call,), must=False)


def follow_step(stack: str, services: Sequence[str], query: LogQuery) -> Step:
    """All services at once, each line after its service and a TAB; see `follow.sh`."""
    arrays = {"services": services, "first": _flags(query), "again": _flags(AGAIN)}
    listed = rancher("ps", "--all", "--format", "{{.Name}}")
    lines = [
        f"stack={shlex.quote(stack)}",
        f"pause={PAUSE}",
        *(f"{name}=({shlex.join(words)})" for name, words in arrays.items()),
        f"listed() {{ {listed.script()}; }}",
        program(_FOLLOW),
    ]
    return Step("follow", (Command(Raw("\n".join(lines))),), must=False)


def _flags(query: LogQuery) -> tuple[str, ...]:
    since = (f"--since={query.since}",) if query.since else ()
    return (f"--tail={query.tail}", *since)


def parse(output: str, stack: str, service: str) -> Iterator[LogLine]:
    """The lines of a service's log; one without a time belongs to the line before it."""
    time = ""
    for written in output.rstrip("\n").split("\n") if output.strip() else ():
        container, text = _split(written, service, stack)
        stamp = _TIME.match(text)
        if stamp:
            time, text = stamp[1], text[stamp.end() :]
        yield LogLine(time, service, container, text)


def _split(line: str, service: str, stack: str) -> tuple[str, str]:
    """The container, which the CLI puts first if there are several, and the rest."""
    match = re.match(rf"{re.escape(stack)}-({re.escape(service)}-\d+) \| ", line)
    return (match[1], line[match.end() :]) if match else ("", line)
