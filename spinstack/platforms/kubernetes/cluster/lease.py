"""The lock of a stack: a Lease in its namespace, which ends by itself if nobody renews it. Pure.

Every change of it names the version that was read, so that of two who try only one succeeds.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from spinstack.platforms.kubernetes import labels
from spinstack.platforms.kubernetes.cluster import times
from spinstack.platforms.kubernetes.cluster.answers import Answer
from spinstack.platforms.kubernetes.cluster.tree import label, named, number, text
from spinstack.platforms.kubernetes.kubectl import create, kubectl, replace
from spinstack.text import read_json
from spinstack.transport.command import Command

if TYPE_CHECKING:
    from spinstack.config.kubernetes import Cluster

KIND = "lock"
RESOURCE = "leases.coordination.k8s.io"
OWNER = "spinstack/owner"
# Seconds without a sign of life after which a lock may be taken over: what the Lease says of
# itself, for others. Who takes it over listens to its holder first (`remote/lock.py`).
DURATION = 60


@dataclass(frozen=True)
class Lease:
    """A lease as it was read. `holder`: empty if nobody has it; `owner`: what the holder says of
    itself; `renewed`: by the holder's clock; `version` and `uid`: for the next change of it."""

    stack: str
    holder: str = ""
    owner: Mapping[str, Any] | None = None
    renewed: datetime | None = None
    changes: int = 0
    version: str = ""
    uid: str = ""

    @property
    def held(self) -> bool:
        return bool(self.holder)


def name(stack: str) -> str:
    return f"spinstack-{stack}"


def read(found: Mapping[str, Any]) -> Lease:
    """From the object."""
    try:
        owner = read_json(text(found, "metadata", "annotations", OWNER) or "null")
    except ValueError:
        owner = None
    return Lease(
        stack=label(found, labels.PART_OF) or named(found).removeprefix("spinstack-"),
        holder=text(found, "spec", "holderIdentity"),
        owner=owner if isinstance(owner, dict) else None,
        renewed=times.moment(text(found, "spec", "renewTime")),
        changes=number(found, "spec", "leaseTransitions"),
        version=text(found, "metadata", "resourceVersion"),
        uid=text(found, "metadata", "uid"),
    )


def read_answer(answer: Answer) -> Lease | None:
    """The lease in an answer; None if there is none in it."""
    ours = [one for one in answer.objects if text(one, "kind") == "Lease"]
    return read(ours[0]) if ours else None


def look(cluster: Cluster, stack: str) -> Command:
    return kubectl(cluster, "get", RESOURCE, name(stack), "-o", "json")


def taken(stack: str, holder: str, owner: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """A new lease, held. `holder`: a word that no other change has."""
    return _object(stack, holder, owner, now, 0)


def taken_over(
    lease: Lease, holder: str, owner: Mapping[str, Any], now: datetime
) -> dict[str, Any]:
    """The same lease with another holder, if it is as it was read."""
    return _of(lease, _object(lease.stack, holder, owner, now, lease.changes + 1))


def renewed(lease: Lease, now: datetime) -> dict[str, Any]:
    """With a sign of life."""
    owner = lease.owner or {}
    return _of(lease, _object(lease.stack, lease.holder, owner, now, lease.changes))


def released(lease: Lease, now: datetime) -> dict[str, Any]:
    """Held by nobody. It is not deleted: so its version goes on, and nobody who has read it
    before can take it by mistake."""
    return _of(lease, _object(lease.stack, "", {}, now, lease.changes))


def take(
    cluster: Cluster,
    stack: str,
    found: Lease | None,
    holder: str,
    owner: Mapping[str, Any],
    now: datetime,
) -> Command:
    """Takes it, from nobody or from whoever had it when it was read as `found`. In the answer,
    `exists` or `conflict` say that somebody else was faster."""
    if found is None:
        return create(cluster, taken(stack, holder, owner, now))
    return replace(cluster, taken_over(found, holder, owner, now))


def renew(cluster: Cluster, lease: Lease, now: datetime) -> Command:
    """In the answer, `conflict` or `missing` say that it was taken from us."""
    return replace(cluster, renewed(lease, now))


def release(cluster: Cluster, lease: Lease, now: datetime) -> Command:
    return replace(cluster, released(lease, now))


def _of(lease: Lease, made: dict[str, Any]) -> dict[str, Any]:
    made["metadata"] |= {"resourceVersion": lease.version, "uid": lease.uid}
    return made


def _object(
    stack: str, holder: str, owner: Mapping[str, Any], now: datetime, changes: int
) -> dict[str, Any]:
    spec: dict[str, Any] = {
        "leaseDurationSeconds": DURATION,
        "renewTime": times.micro(now),
        "leaseTransitions": changes,
    }
    if holder:
        spec["holderIdentity"] = holder
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {
            "name": name(stack),
            "labels": {
                labels.PART_OF: stack,
                labels.MANAGED_BY: labels.MANAGER,
                labels.KIND: KIND,
            },
            "annotations": {OWNER: json.dumps(dict(owner))},
        },
        "spec": spec,
    }
