"""What stands against a change, looked at before anything is locked or touched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from spinstack.errors import SpinstackError
from spinstack.platforms.base import Garbled
from spinstack.platforms.kubernetes.cluster import answers, apply, owners
from spinstack.platforms.kubernetes.cluster.owners import InTheWay
from spinstack.rules.finding import Finding
from spinstack.transport.script import Script, tail

if TYPE_CHECKING:
    from spinstack.remote.cluster.stack import ClusterStack

_REMOVED = "the site is away from the removal until the deploy has ended"


@dataclass(frozen=True)
class Ahead:
    """`in_the_way`: objects of others with names of the stack's."""

    in_the_way: Sequence[InTheWay] = ()


def look(stack: ClusterStack, text: str) -> Ahead:
    """`text`: the manifests that are to be applied. What the cluster does not say is left for the
    change itself to meet: it has the server judge everything before it begins."""
    step = owners.there_step(stack.cluster, text)
    result = stack.node.run(Script((stack.ready, step)))
    there = _objects(result.output(step.name))
    return Ahead(in_the_way=owners.in_the_way(there, apply.objects(text)))


def _objects(output: str) -> Sequence[Mapping[str, Any]]:
    try:
        return answers.read(output).objects
    except Garbled:
        return ()


def must_be_clear(stack: ClusterStack, ahead: Ahead) -> None:
    """Raises SpinstackError for what no change can be made with."""
    if ahead.in_the_way:
        found = ahead.in_the_way
        names = ", ".join(f"{one.kind} {one.name}" for one in found)
        error = SpinstackError(
            f"not the stack's own: {names}",
            where=stack.place,
            remedy=f"do for each what stands above, or change the namespace ({_REMOVED})",
            details="\n".join(f"{one.told}\n  {one.remedy(stack.cluster)}" for one in found),
        )
        error.now = "nothing was changed"
        error.explained = True
        raise error


def findings(stack: ClusterStack, ahead: Ahead) -> list[Finding]:
    """The same for `check`, with what it would ask about."""
    return [
        Finding("kubernetes-taken", stack.place, one.told, one.remedy(stack.cluster))
        for one in ahead.in_the_way
    ]


def judged(stack: ClusterStack, text: str) -> list[Finding]:
    """What the server, its admission policies included, has against the manifests: a dry run."""
    step = replace(apply.dry_run_step(stack.cluster, text), must=False)
    said = stack.node.run(Script((stack.ready, step))).steps[-1]
    if said.ok:
        return []
    told = stack.platform.complaints(said.output, errors_only=True)
    lines = told or [tail(said.output) or f"exit code {said.code}, no output"]
    return [_refused(stack, line) for line in lines]


def _refused(stack: ClusterStack, line: str) -> Finding:
    cause, remedy = stack.platform.known(line) or (line, "change what it names in the stack")
    return Finding("kubernetes-refused", stack.place, cause, remedy)
