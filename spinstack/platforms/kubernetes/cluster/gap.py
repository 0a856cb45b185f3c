"""How long a service is without a container if its old one is stopped before the new one starts.
Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from spinstack.platforms.base import Garbled
from spinstack.platforms.kubernetes import labels
from spinstack.platforms.kubernetes.cluster import times
from spinstack.platforms.kubernetes.cluster.output import items
from spinstack.platforms.kubernetes.cluster.tree import (
    child,
    condition,
    label,
    mapping,
    named,
    number,
    text,
)
from spinstack.platforms.kubernetes.cluster.tree import items as listed
from spinstack.platforms.kubernetes.ending import DRAIN
from spinstack.platforms.kubernetes.kubectl import kubectl
from spinstack.transport.script import Step

if TYPE_CHECKING:
    from spinstack.config.kubernetes import Cluster

# Kubernetes' own time for a program to end.
_GRACE = 30


@dataclass(frozen=True)
class Gap:
    """Seconds: `usual` by what its containers took the last time, None if that is not known; at
    `most` without the change being given up."""

    usual: int | None
    most: int

    @property
    def told(self) -> str:
        most = f"for {self.most} s at most"
        return most if self.usual is None else f"for about {self.usual} s, {most}"


def pods_step(cluster: Cluster, stack: str) -> Step:
    selector = f"{labels.of_ours()},{labels.PART_OF}={stack}"
    words = ("get", "pods", "-l", selector, "-o", "json")
    return Step("its pods", (kubectl(cluster, *words),), must=False)


def starts(output: str) -> dict[str, int]:
    """How many seconds the containers of a service took to be ready, by service. From what that
    step printed."""
    try:
        pods = items(output)
    except Garbled:
        return {}
    found: dict[str, int] = {}
    for pod in pods:
        ready = condition(pod, "Ready")
        began = times.seconds(text(pod, "metadata", "creationTimestamp"))
        came = times.seconds(text(ready, "lastTransitionTime"))
        if text(ready, "status") == "True" and began is not None and came is not None:
            # One that was not ready for a while has a later time.
            name, took = label(pod, labels.NAME), max(round(came - began), 1)
            found[name] = min(found.get(name, took), took)
    return found


def gap(
    deployments: Sequence[Mapping[str, Any]], started: Mapping[str, int], healthy_within: int
) -> Gap:
    """Of services that are replaced at the same time. `deployments`: as they are to be."""
    usual: int | None = 0
    most = 0
    for one in deployments:
        pod = mapping(one, "spec", "template", "spec")
        stops, grace = _stop(pod), number(pod, "terminationGracePeriodSeconds", otherwise=_GRACE)
        took = started.get(named(one))
        usual = None if usual is None or took is None else max(usual, stops + took)
        most = max(most, grace + healthy_within)
    return Gap(usual, most)


def _stop(pod: Mapping[str, Any]) -> int:
    """Seconds until a container that has nothing to do is asked to end."""
    hooks = [mapping(one, "lifecycle", "preStop") for one in listed(pod, "containers")]
    slept = [number(hook, "sleep", "seconds") for hook in hooks]
    slept += [DRAIN for hook in hooks if child(hook, "exec") is not None]
    return max(slept, default=0)
