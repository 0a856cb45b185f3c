"""What runs of a stack, and what is kept about it, in one call. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from spinstack.platforms.base import Container, ServiceState
from spinstack.platforms.kubernetes import labels
from spinstack.platforms.kubernetes.cluster import lease, pods, records, states
from spinstack.platforms.kubernetes.cluster.output import items
from spinstack.platforms.kubernetes.cluster.records import Kept
from spinstack.platforms.kubernetes.kubectl import kubectl
from spinstack.transport.command import Command

if TYPE_CHECKING:
    from spinstack.config.kubernetes import Cluster

# kubectl lists one kind after the other. The lease comes first: whoever takes the lock in the
# version that was read here knows that the record, read later, is as it was then.
KINDS = f"{lease.RESOURCE},configmaps,{states.KINDS}"


@dataclass(frozen=True)
class Together:
    """`answering`: the services that have a ready container; `packed`: the manifests of releases by
    id, as they are kept."""

    states: list[ServiceState] = field(default_factory=list)
    containers: Mapping[str, list[Container]] = field(default_factory=dict)
    answering: frozenset[str] = frozenset()
    kept: Kept = field(default_factory=Kept)
    packed: Mapping[str, str] = field(default_factory=dict)


def look(cluster: Cluster, stack: str) -> Command:
    """The objects of a stack, and its lock, record and releases."""
    return kubectl(cluster, "get", KINDS, "-l", labels.of_all(stack), "-o", "json")


def read(output: str, stack: str) -> Together:
    """Raises Garbled."""
    found = items(output)
    return Together(
        states.of_objects(found, stack),
        pods.of_objects(found, stack),
        pods.answering(found, stack),
        records.of_objects(found, stack),
        records.packed(found, stack),
    )
