"""What changes leave in the cluster of `kube_node.py`, and what others do there meanwhile."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import datetime, timedelta, timezone
from typing import Any

from spinstack.platforms.kubernetes.cluster import lease
from spinstack.remote.owner import Owner, make_owner
from tests.unit.kube_node import KubeNode

LOOKS = ("get", "describe", "logs")


def orders(node: KubeNode) -> list[str]:
    """What the cluster was told to do, by verb and kind, without looks."""
    return [" ".join(line.split()[:2]) for line in node.calls if not line.startswith(LOOKS)]


def image(node: KubeNode, service: str) -> str:
    (container,) = node.objects["Deployment", service]["spec"]["template"]["spec"]["containers"]
    return str(container["image"])


def record(node: KubeNode) -> dict[str, Any]:
    data: dict[str, Any] = node.objects["ConfigMap", "spinstack-demo"]["data"]
    return data


def past(node: KubeNode) -> list[tuple[str, str]]:
    lines = record(node)["history"].splitlines()
    return [(one["doing"], one["outcome"]) for one in map(json.loads, lines)]


def free(node: KubeNode) -> bool:
    return "holderIdentity" not in node.objects["Lease", "spinstack-demo"]["spec"]


def hold(node: KubeNode, who: str | Owner, ago: int = 0) -> None:
    """Somebody takes the lock."""
    owner = make_owner(who, "far", "deploy") if isinstance(who, str) else who
    found = node.objects.get(("Lease", "spinstack-demo"))
    now = datetime.now(timezone.utc) - timedelta(seconds=ago)
    made = lease.taken("demo", owner.nonce, asdict(owner), now)
    if found:
        made["metadata"]["uid"] = found["metadata"]["uid"]
    node._put(made)


def renewed(node: KubeNode) -> None:
    """A sign of life, by a slow clock."""
    node._put(dict(node.objects["Lease", "spinstack-demo"]))


def age_lock(node: KubeNode) -> None:
    """Time goes by, until a lock that is still there has expired."""
    found = node.objects.get(("Lease", "spinstack-demo"))
    if found and not free(node):
        old = datetime.now(timezone.utc) - timedelta(hours=2)
        found["spec"]["renewTime"] = old.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
