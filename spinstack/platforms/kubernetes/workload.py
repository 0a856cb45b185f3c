"""The Deployment of a service."""

from __future__ import annotations

from typing import Any

from spinstack.config.settings import Destination
from spinstack.platforms.kubernetes import containers, ending, names, network, probes, volumes
from spinstack.platforms.kubernetes.source import Source
from spinstack.platforms.kubernetes.volumes import Mounted

# Sets of pods of earlier releases that are kept: what goes back is the whole set of objects.
_HISTORY = 2
# Seconds that a container must stay ready before the next one is replaced.
_STAYS_READY = 2
# The variable that tells the service for visitors which networks' word about them counts.
PROXIES = "TRUSTED_PROXIES"


def deployment_spec(source: Source, destination: Destination, found: Mounted) -> dict[str, Any]:
    """`found`: what its container mounts."""
    return {
        "replicas": source.setting.scale,
        "revisionHistoryLimit": _HISTORY,
        "minReadySeconds": _STAYS_READY,
        # Not before the tool itself has given up.
        "progressDeadlineSeconds": _deadline(source, destination),
        "selector": {"matchLabels": source.selector},
        "strategy": _strategy(source),
        "template": {"metadata": _metadata(source), "spec": _pod(source, destination, found)},
    }


def _deadline(source: Source, destination: Destination) -> int:
    health = source.setting.health
    return max(destination.healthy_within, health.start_within if health else 0) + 30


def _strategy(source: Source) -> dict[str, Any]:
    """Two containers at a time on one volume would be two writers."""
    if any(not mount.read_only for mount in volumes.claimed(source)):
        return {"type": "Recreate"}
    return {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}


def _metadata(source: Source) -> dict[str, Any]:
    found: dict[str, Any] = {"labels": source.described}
    notes = {key: value for key, value in source.notes.items() if names.is_annotation(key)}
    return {**found, "annotations": notes} if notes else found


def _pod(source: Source, destination: Destination, found: Mounted) -> dict[str, Any]:
    grace, lifecycle = ending.ending(source)
    made: dict[str, Any] = {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": grace,
        "securityContext": containers.pod_security(source),
        "hostname": source.keys.get("hostname"),
        "hostAliases": network.host_aliases(source),
        "dnsConfig": network.dns_config(source),
        "imagePullSecrets": _pull_secrets(source),
        "containers": [_container(source, destination, found, lifecycle)],
        "volumes": found.volumes,
    }
    return _set(made)


def _pull_secrets(source: Source) -> list[dict[str, str]]:
    name = source.cluster.pull_secret
    return [{"name": name}] if name else []


def _container(
    source: Source, destination: Destination, found: Mounted, lifecycle: dict[str, Any]
) -> dict[str, Any]:
    made: dict[str, Any] = {
        "name": source.name,
        "image": source.service.image,
        # A tag stands for one exact image.
        "imagePullPolicy": "IfNotPresent",
        **containers.command(source),
        "workingDir": source.keys.get("working_dir"),
        "stdin": source.keys.get("stdin_open") is True,
        "tty": source.keys.get("tty") is True,
        "env": containers.environment(_variables(source, destination)),
        "ports": network.container_ports(source),
        "resources": containers.resources(source),
        "securityContext": containers.security(source),
        **probes.probes(source.setting.health),
        "lifecycle": lifecycle,
        "volumeMounts": found.mounts,
    }
    return _set(made)


def _variables(source: Source, destination: Destination) -> dict[str, str]:
    found = {name: value for name, value in source.environment.items() if names.is_variable(name)}
    networks = destination.centre.kubernetes.trusted_proxies
    if source.public and networks and source.cluster.site(source.stack.name):
        return {PROXIES: " ".join(networks), **found}
    return found


def _set(made: dict[str, Any]) -> dict[str, Any]:
    """Without what is not set: the server leaves that out, and would show a difference for ever.
    `false` that it keeps is written in place."""
    empty: tuple[Any, ...] = (None, "", [], {})
    kept = ("automountServiceAccountToken", "enableServiceLinks")
    return {
        key: value
        for key, value in made.items()
        if key in kept or not (value is False or any(value == one for one in empty))
    }
