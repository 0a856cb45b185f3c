"""The platform of a destination, by its settings. Only this module knows them all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spinstack.errors import UsageError
from spinstack.platforms.base import Platform

if TYPE_CHECKING:
    from spinstack.config.kubernetes import Cluster


def platform(name: str, cluster: Cluster | None = None) -> Platform:
    """`cluster`: where on Kubernetes. Raises UsageError for an unknown name."""
    if name == "cattle":
        from spinstack.platforms.rancher1.platform import Rancher1

        return Rancher1()
    if name == "kubernetes" and cluster:
        from spinstack.platforms.kubernetes.platform import Kubernetes

        return Kubernetes(cluster)
    raise UsageError(f"no platform {name!r}", remedy="set platform: to cattle or kubernetes")
