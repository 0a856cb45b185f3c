"""A service as the cluster has it: its Deployment. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from spinstack.platforms.base import Garbled, RunningService
from spinstack.platforms.kubernetes import labels
from spinstack.platforms.kubernetes.cluster.output import items
from spinstack.platforms.kubernetes.cluster.tree import child, label, mapping, text
from spinstack.platforms.kubernetes.cluster.tree import items as listed
from spinstack.platforms.kubernetes.kubectl import kubectl
from spinstack.transport.script import Step

if TYPE_CHECKING:
    from spinstack.config.kubernetes import Cluster


def exists_step(cluster: Cluster, stack: str) -> Step:
    """Its Deployments: an empty list if there is no such stack."""
    words = ("get", "deployments.apps", "-l", labels.of_stack(stack), "-o", "json")
    return Step("stack", (kubectl(cluster, *words),), must=False)


def inspect_step(cluster: Cluster, stack: str, service: str) -> Step:
    """By labels, not by name: another stack's is none of ours."""
    selector = labels.of_stack(stack, [service])
    words = ("get", "deployments.apps", "-l", selector, "-o", "json")
    return Step(f"inspect {service}", (kubectl(cluster, *words),), must=False)


def read(output: str) -> dict[str, Any] | None:
    """The Deployment; None if there is none, and where nothing ran (a dry run). Raises Garbled."""
    found = items(output)
    if found and text(found[0], "kind") != "Deployment":
        raise Garbled(output)
    return found[0] if found else None


def running(resource: Mapping[str, Any]) -> RunningService:
    """A service as its Deployment has it. Files of the stack come from a ConfigMap, whose name
    says what is in them: they are no mounts here."""
    pod = mapping(resource, "spec", "template", "spec")
    found = listed(pod, "containers")
    ours = [one for one in found if text(one, "name") == label(resource, labels.NAME)]
    container = next(iter(ours or found), {})
    return RunningService(
        image=text(container, "image"),
        user=_user(pod, container),
        entrypoint=child(container, "command"),
        command=child(container, "args"),
        mounts=tuple(_mounts(pod, container)),
        ports=(),
        cap_drop=tuple(_texts(container, "securityContext", "capabilities", "drop")),
        environment={
            text(one, "name"): text(one, "value")
            for one in listed(container, "env")
            if text(one, "name") and "valueFrom" not in one
        },
    )


def _user(pod: Mapping[str, Any], container: Mapping[str, Any]) -> str:
    """`UID:GID`, as in a compose file."""
    context = {**mapping(pod, "securityContext"), **mapping(container, "securityContext")}
    found = [context.get(key) for key in ("runAsUser", "runAsGroup")]
    return ":".join(str(one) for one in found if isinstance(one, int))


def _mounts(pod: Mapping[str, Any], container: Mapping[str, Any]) -> list[str]:
    """Directories of the node and claims, as `source:target:mode`."""
    sources = {}
    for volume in listed(pod, "volumes"):
        path = text(volume, "hostPath", "path")
        claim = text(volume, "persistentVolumeClaim", "claimName")
        if path or claim:
            sources[text(volume, "name")] = path or claim
    return [
        f"{sources[text(one, 'name')]}:{text(one, 'mountPath')}:"
        + ("ro" if child(one, "readOnly") is True else "rw")
        for one in listed(container, "volumeMounts")
        if text(one, "name") in sources
    ]


def _texts(value: Any, *keys: str) -> list[str]:
    found = child(value, *keys)
    return [str(one) for one in found] if isinstance(found, list) else []
