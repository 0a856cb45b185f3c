"""What is known about a failure, kept before anything is brought back: that would erase it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from spinstack.platforms.base import Garbled, LogQuery, ServiceState
from spinstack.platforms.kubernetes.cluster import apply, logs, output, states
from spinstack.transport.script import Script, Step, StepResult

if TYPE_CHECKING:
    from spinstack.remote.cluster.stack import ClusterStack

# Lines of each log.
LINES = 500
# Lines of a log that are shown at once.
SHOWN = 20


def gathered(stack: ClusterStack, services: Sequence[str]) -> str:
    """Objects, events, logs of the services, each under its name; no values of variables."""
    described = apply.describe_step(stack.cluster, stack.stack)
    steps = (described, *(_log(stack, name, LINES) for name in services))
    result = stack.node.run(Script((stack.ready, *steps), seconds=120))
    told = []
    for step in result.steps[1:]:
        is_described = step.name == described.name
        text = output.without_values(step.output) if is_described else step.output
        told.append(f"=== {step.name}\n{text}\n")
    return "\n".join(told)


def last_lines(stack: ClusterStack, service: str) -> StepResult:
    """What a service said last, without what still runs of it from before."""
    looked, logged = stack.platform.states(must=False), _log(stack, service, SHOWN)
    result = stack.node.run(Script((stack.ready, looked, logged)))
    told = result.steps[-1]
    with suppress(Garbled):
        pods = states.newest_pods(result.output(looked.name), stack.stack, service)
        return replace(told, output=logs.of_pods(told.output, pods))
    return told


def worth_showing(seen: Sequence[ServiceState], services: Sequence[str]) -> list[str]:
    """The services whose logs may say why: those that are not up, or all if all are."""
    up = {state.name for state in seen if state.up}
    return [name for name in services if name not in up] or list(services)


def _log(stack: ClusterStack, service: str, lines: int) -> Step:
    return stack.platform.log(stack.stack, service, LogQuery(lines))
