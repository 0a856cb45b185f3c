"""What a change would meet and make, as the server itself judges it, with nothing changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spinstack.platforms.kubernetes.cluster import answers, apply, differences, owners
from spinstack.remote.cluster import ahead
from spinstack.remote.cluster.room import Manifests, pinned
from spinstack.remote.cluster.seen import note
from spinstack.remote.stack import Difference
from spinstack.transport.script import Step

if TYPE_CHECKING:
    from spinstack.remote.cluster.stack import ClusterStack
    from spinstack.rules.finding import Finding


def foreseen(stack: ClusterStack, text: str) -> list[Finding]:
    """What stands against these manifests."""
    current = stack.seen.kept().record.current
    met = ahead.look(stack, Manifests(text, stack.seen.before(current)))
    judged = [] if met.in_the_way else ahead.judged(stack, text)
    return [*ahead.findings(stack, met), *judged]


def compared(stack: ClusterStack, text: str) -> list[Difference]:
    """How what is there differs from these manifests, filled in by the server."""
    # What runs has the digests with which it was deployed.
    kept, cluster = stack.seen.kept(), stack.cluster
    ran = next((note(one) for one in kept.releases if one.id == kept.record.current), None)
    text = pinned(text, ran.images.values() if ran else ())
    asked = (
        owners.there_step(cluster, text),
        Step("what would be", (differences.apply(cluster, text, dry_run=True),)),
        apply.list_step(cluster, stack.stack),
    )
    result = stack.run(*asked)
    there, would, listed = (
        stack.read(result[step.name], lambda text: answers.read(text).objects) for step in asked
    )
    wanted = {apply.named(one) for one in would}
    # ConfigMaps are named by their content: those of before stay for a while.
    old = [
        one for one in listed if apply.named(one) not in wanted and one.get("kind") != "ConfigMap"
    ]
    stamps = stack.destination.centre.kubernetes.stamps
    found = differences.differences([*there, *old], would, stamps)
    found = differences.in_files(found, there, listed, would)
    scaled = owners.scaled(there)
    return [
        Difference(f"{one.kind} {one.name}", one.where, one.old or "", one.new or "")
        for one in found
        if not (one.where == "spec.replicas" and one.name in scaled)
    ]
