"""Logs of services: of all their pods, with those of containers that have crashed."""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from spinstack.platforms import base
from spinstack.platforms.base import LogLine, LogQuery
from spinstack.platforms.kubernetes import labels
from spinstack.platforms.kubernetes.cluster.output import complaints, is_noise
from spinstack.platforms.kubernetes.kubectl import NO_LIMIT, kubectl
from spinstack.text import split_lines
from spinstack.transport.command import Command, Raw, program
from spinstack.transport.script import Step

if TYPE_CHECKING:
    from spinstack.config.kubernetes import Cluster

# Seconds after which a followed log that has ended is read again.
PAUSE = 2
# More pods than a service has.
_PODS = 50

_FOLLOW = Path(__file__).with_name("follow.sh")
# `[pod/NAME/CONTAINER] `, then the time.
_LINE = re.compile(
    r"\[pod/(?P<pod>[^/\]]+)/(?P<container>[^\]]+)\] "
    r"(?:(?P<time>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?)Z(?: |$))?(?P<text>.*)"
)
# Said in place of a log that the node has removed, without an end of line.
_NO_LOG = "unable to retrieve container logs for "


def _call(cluster: Cluster, stack: str, service: str, *flags: str, seconds: int) -> Command:
    """A pod whose log can't be read yet or any more does not keep the others back."""
    words = ("logs", "-l", labels.of_service(stack, service), "--prefix", "--timestamps")
    more = ("--ignore-errors", f"--max-log-requests={_PODS}", *flags)
    return kubectl(cluster, *words, *more, seconds=seconds)


def of(cluster: Cluster, stack: str, service: str, query: LogQuery) -> Command:
    """The log of a service. First those of the containers before the present ones, which not all
    pods have; where a container is about to be restarted, both are the same."""

    def call(*flags: str) -> str:
        return _call(cluster, stack, service, *flags, seconds=base.QUICK).script()

    flags = _flags(query)
    return Command(Raw(f"{{ {call('--previous', *flags)} 2>/dev/null; {call(*flags)}; }}"))


def log_step(cluster: Cluster, stack: str, service: str, query: LogQuery) -> Step:
    return Step(f"logs of {service}", (of(cluster, stack, service, query),), must=False)


def follow_step(cluster: Cluster, stack: str, services: Sequence[str], query: LogQuery) -> Step:
    """All services at once, each line after its service and a TAB; see `follow.sh`."""
    cases = []
    for name in services:
        call = _call(cluster, stack, name, "--follow", seconds=NO_LIMIT).script()
        cases.append(f'({shlex.quote(name)}) {call} "$@";;')
    selector = labels.of_stack(stack).replace(f",!{labels.KIND}", "")
    listed = kubectl(cluster, "get", "deployments.apps", "-l", selector, "-o", _NAMES)
    lines = [
        f"services=({shlex.join(services)})",
        f"first=({shlex.join(_flags(query))})",
        f"pause={PAUSE}",
        'logs() { local name=$1; shift; case "$name" in ' + " ".join(cases) + " esac; }",
        f"listed() {{ {listed.script()}; }}",
        program(_FOLLOW),
    ]
    return Step("follow", (Command(Raw("\n".join(lines))),), must=False)


_NAMES = (
    f'jsonpath={{range .items[*]}}{{.metadata.labels.{labels.path(labels.NAME)}}}{{"\\n"}}{{end}}'
)


def _flags(query: LogQuery) -> tuple[str, ...]:
    """A number of seconds ago, or a moment: kubectl has an option for each."""
    option = "--since" if re.fullmatch(r"[0-9]+s", query.since) else "--since-time"
    since = (f"{option}={query.since}",) if query.since else ()
    return (f"--tail={query.tail}", *since)


def of_pods(output: str, pods: Collection[str]) -> str:
    """What only these pods have said, of a service's log."""
    told, ours = [], False
    for line in split_lines(output):
        match = _LINE.fullmatch(line)
        # One without a pod belongs to the line before.
        ours = match["pod"] in pods if match else ours
        if ours and not (match and match["text"].startswith(_NO_LOG)):
            told.append(line)
    return "\n".join(told)


def parse(output: str, service: str) -> Iterator[LogLine]:
    """The lines of a service's log, each once; one without a time belongs to the line before."""
    time, seen = "", set()
    for written in output.rstrip("\n").split("\n") if output.strip() else ():
        match = _LINE.fullmatch(written.removesuffix("\r"))
        if match is None:
            if not is_noise(written) and not complaints(written):
                yield LogLine(time, service, "", written)
            continue
        if match["text"].startswith(_NO_LOG):
            continue
        time = match["time"] or time
        line = LogLine(time, service, match["pod"], match["text"])
        if match["time"] and line in seen:
            continue
        seen.add(line)
        yield line
