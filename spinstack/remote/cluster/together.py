"""What runs of a stack, and what is kept about it, in one call. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from spinstack.platforms.base import Container, ServiceState
from spinstack.platforms.kubernetes import labels
from spinstack.platforms.kubernetes.cluster import apply, lease, pods, records, states
from spinstack.platforms.kubernetes.cluster.apply import Named
from spinstack.platforms.kubernetes.cluster.output import items
from spinstack.platforms.kubernetes.cluster.records import Kept
from spinstack.platforms.kubernetes.cluster.tree import label, text
from spinstack.platforms.kubernetes.kubectl import kubectl
from spinstack.transport.command import Command

if TYPE_CHECKING:
    from spinstack.config.kubernetes import Cluster

# kubectl lists one kind after the other. The lease comes first: whoever takes the lock in the
# version that was read here knows that the record, read later, is as it was then.
KINDS = f"{lease.RESOURCE},configmaps,{states.KINDS}"

_REMOVABLE = ("Deployment", "Service", "Ingress", "ConfigMap")


@dataclass(frozen=True)
class Together:
    """`answering`: the services that have a ready container; `packed`: the manifests of releases by
    id, as they are kept; `objects`: those that a change may remove, if services were asked for."""

    states: list[ServiceState] = field(default_factory=list)
    containers: Mapping[str, list[Container]] = field(default_factory=dict)
    answering: frozenset[str] = frozenset()
    kept: Kept = field(default_factory=Kept)
    packed: Mapping[str, str] = field(default_factory=dict)
    objects: tuple[Named, ...] = ()


def look(cluster: Cluster, stack: str, *, services: bool = False) -> Command:
    """The objects of a stack, and its lock, record and releases. `services`: with its Services,
    which tell nothing about it."""
    kinds = f"{KINDS},services" if services else KINDS
    return kubectl(cluster, "get", kinds, "-l", labels.of_all(stack), "-o", "json")


def read(output: str, stack: str) -> Together:
    """Raises Garbled."""
    found = items(output)
    return Together(
        states.of_objects(found, stack),
        pods.of_objects(found, stack),
        pods.answering(found, stack),
        records.of_objects(found, stack),
        records.packed(found, stack),
        tuple(apply.named(one) for one in found if _removable(one)),
    )


def _removable(one: dict[str, Any]) -> bool:
    """As `apply.list_step` lists them."""
    return text(one, "kind") in _REMOVABLE and not label(one, labels.KIND)
