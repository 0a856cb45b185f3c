"""States of services: from Deployments, their pods and the ingress, in one call. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from spinstack.platforms.base import Endpoint, Phase, ServiceState
from spinstack.platforms.kubernetes import labels
from spinstack.platforms.kubernetes.cluster import reasons
from spinstack.platforms.kubernetes.cluster.output import items
from spinstack.platforms.kubernetes.cluster.tree import (
    child,
    condition,
    is_of,
    label,
    leaving,
    mapping,
    named,
    number,
    text,
)
from spinstack.platforms.kubernetes.cluster.tree import items as listed
from spinstack.platforms.kubernetes.kubectl import kubectl
from spinstack.transport.command import Command, Raw
from spinstack.transport.script import Step

if TYPE_CHECKING:
    from spinstack.config.kubernetes import Cluster

# The word for a service that can't come up until something is changed, and whether it changes.
GIVEN_UP = ("failed", "error")
# Words for the states of a Deployment, after its conditions. `unavailable`: rolled out, but pods
# are not ready.
PHASES = {
    "available": Phase.RUNNING,
    "progressing": Phase.RUNNING,
    "unavailable": Phase.RUNNING,
    "stopped": Phase.STOPPED,
    "stopping": Phase.STOPPING,
    "failed": Phase.FAILED,
    "removing": Phase.REMOVING,
}
# Without ReplicaSets, whose refusals are a condition of the Deployment, too.
KINDS = "deployments.apps,pods,ingresses.networking.k8s.io"
_PORTS = {"http": 80, "https": 443}


def look(cluster: Cluster) -> Command:
    """All services of all stacks in the namespace, even stopped ones."""
    return kubectl(cluster, "get", KINDS, "-l", labels.of_ours(), "-o", "json")


def watch_step(cluster: Cluster, seconds: int) -> Step:
    """The states again and again, after each a line `round` with the exit code, for `seconds`."""
    loop = f"end=$((SECONDS + {int(seconds)})); while [ $SECONDS -lt $end ]; do"
    body = f'{look(cluster).script()}; echo "round $?"; sleep 1'
    return Step("watch", (Command(Raw(f"{loop} {body}; done")),), must=False)


def parse(output: str, stack: str) -> list[ServiceState]:
    """The services of a stack. Raises Garbled."""
    return of_objects(items(output), stack)


def newest_pods(output: str, stack: str, service: str) -> list[str]:
    """The names of the pods that a service is to consist of; those that it consisted of before may
    still be there, too. Raises Garbled."""
    objects = items(output)
    pods = [one for one in objects if text(one, "kind") == "Pod" and is_of(one, stack, service)]
    deployments = (one for one in objects if text(one, "kind") == "Deployment")
    return [
        named(pod)
        for one in deployments
        if is_of(one, stack, service)
        for pod in reasons.newest(one, pods)
    ]


def of_objects(found: Sequence[dict[str, Any]], stack: str) -> list[ServiceState]:
    """The same, from objects of any kind."""
    ours = [one for one in found if label(one, labels.PART_OF) == stack]
    states = [
        read(one, ours)
        for one in ours
        if text(one, "kind") == "Deployment" and label(one, labels.NAME)
    ]
    return sorted(states, key=lambda state: state.name)


def read(deployment: dict[str, Any], objects: Sequence[dict[str, Any]]) -> ServiceState:
    """The state of a service. `objects`: of its stack, as the cluster has them."""
    stack, name = label(deployment, labels.PART_OF), label(deployment, labels.NAME)
    pods = [one for one in objects if text(one, "kind") == "Pod" and is_of(one, stack, name)]
    told = _Told(deployment, pods)
    word, moves = told.word
    host, points = _published(name, objects)
    return ServiceState(
        stack=stack,
        name=name,
        state=word,
        health=told.health,
        transitioning=moves,
        message="" if word in ("available", "stopped") else told.reason.text,
        image=_image(deployment, name),
        scale=told.wanted,
        current=number(deployment, "status", "readyReplicas"),
        fqdn=host,
        endpoints=points,
        created=text(deployment, "metadata", "creationTimestamp"),
        phase=PHASES[word],
    )


def given_up(state: ServiceState, why: str) -> ServiceState:
    """The same service once something else than its objects has said that it can't come up."""
    word, moves = GIVEN_UP
    return replace(state, state=word, phase=PHASES[word], transitioning=moves, message=why)


@dataclass(frozen=True)
class _Told:
    """What a Deployment and its pods say."""

    deployment: dict[str, Any]
    pods: Sequence[dict[str, Any]]

    def _status(self, key: str) -> int:
        return number(self.deployment, "status", key)

    @property
    def wanted(self) -> int:
        return number(self.deployment, "spec", "replicas", otherwise=1)

    @property
    def observed(self) -> bool:
        """Whether the status is of what is wanted now."""
        generation = number(self.deployment, "metadata", "generation")
        return self._status("observedGeneration") >= generation

    @property
    def complete(self) -> bool:
        """The same as `kubectl rollout status` waits for."""
        return self._all_updated and self._status("availableReplicas") == self.wanted

    @property
    def _all_updated(self) -> bool:
        updated = self._status("updatedReplicas")
        return self.observed and updated == self._status("replicas") == self.wanted

    @property
    def _rolled_out(self) -> bool:
        """Whether there was a time when all of it was available."""
        why = text(condition(self.deployment, "Progressing"), "reason")
        return self._all_updated and why == "NewReplicaSetAvailable"

    @property
    def current(self) -> list[dict[str, Any]]:
        """The pods of what is wanted now."""
        return reasons.newest(self.deployment, self.pods)

    @property
    def reason(self) -> reasons.Reason:
        if not self.observed:
            return reasons.NONE
        return reasons.found(self.deployment, self.current)

    @property
    def word(self) -> tuple[str, str]:
        """The word, and whether it changes: yes, error, no."""
        if leaving(self.deployment):
            return "removing", "yes"
        if not self.wanted:
            return ("stopping", "yes") if self.pods else ("stopped", "no")
        if self.complete:
            return "available", "no"
        if self.reason.certain:
            return GIVEN_UP
        return ("unavailable" if self._rolled_out else "progressing"), "yes"

    @property
    def health(self) -> str:
        """By the readiness probe; without one, only pods that crash again and again count."""
        if not self.wanted or leaving(self.deployment):
            return ""
        probed = any(
            child(container, "readinessProbe") is not None
            for container in listed(self.deployment, "spec", "template", "spec", "containers")
        )
        if self.complete:
            return "healthy" if probed else ""
        if any(map(reasons.gave_out, self.current)):
            return "unhealthy"
        return "initializing" if probed else ""


def _image(deployment: dict[str, Any], name: str) -> str:
    """As the manifest has it. A webhook may have put containers of its own beside ours."""
    found = listed(deployment, "spec", "template", "spec", "containers")
    ours = [one for one in found if text(one, "name") == name] or found
    return text(ours[0], "image") if ours else ""


def _published(service: str, objects: Sequence[dict[str, Any]]) -> tuple[str, tuple[Endpoint, ...]]:
    """The first name under which an ingress serves it, and all names, as endpoints."""
    found: list[Endpoint] = []
    for ingress in objects:
        if text(ingress, "kind") == "Ingress":
            found += [point for point in _points(ingress, service) if point not in found]
    return (found[0].ip if found else ""), tuple(found)


def _points(ingress: dict[str, Any], service: str) -> list[Endpoint]:
    secured = {
        host
        for one in listed(ingress, "spec", "tls")
        for host in (child(one, "hosts") or [])
        if isinstance(host, str)
    }
    points = []
    for rule in listed(ingress, "spec", "rules"):
        paths = listed(rule, "http", "paths")
        if any(text(path, "backend", "service", "name") == service for path in paths):
            host = text(rule, "host") or _address(ingress)
            scheme = "https" if host in secured else "http"
            points += [Endpoint(host, _PORTS[scheme], scheme)] if host else []
    return points


def _address(ingress: dict[str, Any]) -> str:
    given = listed(mapping(ingress, "status"), "loadBalancer", "ingress")
    return next((text(one, "hostname") or text(one, "ip") for one in given), "")
