"""All objects of a stack, and how they are written down."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from spinstack.config import interpolation
from spinstack.config.settings import Destination
from spinstack.config.stack import Stack
from spinstack.platforms.kubernetes import (
    files,
    kustomize,
    labels,
    network,
    quantities,
    volumes,
    workload,
)
from spinstack.platforms.kubernetes.source import Source, cluster_of, sources
from spinstack.platforms.kubernetes.volumes import Mounted

# Of a named volume that does not say how large it is (`driver_opts: {size: 50g}`).
CLAIM_SIZE = "10Gi"


def objects(stack: Stack, destination: Destination) -> list[dict[str, Any]]:
    """The stack as Kubernetes runs it, in the order in which it is applied: what containers need
    before they start, the containers, the way to them. The same stack gives the same objects.

    Raises SpinstackError for files that can't be read, and for a setting that is missing.
    """
    stack.require_readable()
    services = sources(stack, destination)
    found = {source.name: volumes.mounted(source) for source in services}
    made = list(_claims(stack, services))
    made += [it for source in services for it in _config(source, found[source.name])]
    made += [it for source in services for it in _service(source)]
    for source in services:
        spec = workload.deployment_spec(source, destination, found[source.name])
        made.append(_object("apps/v1", "Deployment", source.name, source, {"spec": spec}))
    made += _ingress(stack, services)
    return made


def text(objects: Sequence[dict[str, Any]]) -> str:
    """The objects as YAML, one document each."""
    return kustomize.documents_text(objects)


def release_files(stack: Stack, destination: Destination) -> dict[str, bytes]:
    """The files that `kubectl apply -k` deploys, with a person's own additions. Raises
    SpinstackError as `objects` does, and for additions that can't be read."""
    made = objects(stack, destination)
    namespace = cluster_of(destination).namespace
    return kustomize.release(stack, destination.name, namespace, made)


def _object(
    version: str,
    kind: str,
    name: str,
    source: Source,
    content: dict[str, Any],
    *,
    whole: bool = False,
    annotations: dict[str, str] | None = None,
) -> dict[str, Any]:
    """`whole`: it belongs to the stack as a whole."""
    marks = source.described
    if whole:
        del marks[labels.NAME]
    metadata: dict[str, Any] = {
        "name": name,
        "namespace": source.cluster.namespace,
        "labels": marks,
    }
    if annotations:
        metadata["annotations"] = annotations
    return {"apiVersion": version, "kind": kind, "metadata": metadata, **content}


def _config(source: Source, found: Mounted) -> Iterator[dict[str, Any]]:
    if found.config:
        name, held = found.config
        content = {"immutable": True, **files.content(held)}
        yield _object("v1", "ConfigMap", name, source, content)


def _service(source: Source) -> Iterator[dict[str, Any]]:
    spec = network.service_spec(source)
    if spec:
        yield _object("v1", "Service", source.name, source, {"spec": spec})


def _ingress(stack: Stack, services: Sequence[Source]) -> Iterator[dict[str, Any]]:
    found = network.visitors(list(services))
    if found and found[0].cluster.site(stack.name):
        source, port = found
        spec = network.ingress_spec(source, port)
        notes = network.ingress_annotations(source)
        yield _object(
            *("networking.k8s.io/v1", "Ingress", stack.name, source, {"spec": spec}),
            whole=True,
            annotations=notes,
        )


def _claims(stack: Stack, services: Sequence[Source]) -> Iterator[dict[str, Any]]:
    """Of named volumes that the stack makes itself: those that are not `external`."""
    users: dict[str, list[Source]] = {}
    for source in services:
        for name in dict.fromkeys(mount.source for mount in volumes.claimed(source)):
            users.setdefault(name, []).append(source)
    for name, by in users.items():
        told = _volume(stack, name)
        if told.get("external"):
            continue
        several = len(by) > 1 or any(source.setting.scale > 1 for source in by)
        spec: dict[str, Any] = {
            "accessModes": ["ReadWriteMany" if several else "ReadWriteOnce"],
            "resources": {"requests": {"storage": _size(told)}},
        }
        if by[0].cluster.storage_class:
            spec["storageClassName"] = by[0].cluster.storage_class
        yield _object("v1", "PersistentVolumeClaim", name, by[0], {"spec": spec}, whole=True)


def _volume(stack: Stack, name: str) -> dict[str, Any]:
    section = interpolation.interpolate(stack.compose.data.get("volumes"), {})
    told = section.get(name) if isinstance(section, dict) else None
    return told if isinstance(told, dict) else {}


def _size(told: dict[str, Any]) -> str:
    options = told.get("driver_opts")
    size = options.get("size") if isinstance(options, dict) else None
    return quantities.memory(size) or CLAIM_SIZE
