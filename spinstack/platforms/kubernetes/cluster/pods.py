"""The containers of services: one for each pod. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spinstack.platforms.base import UNTIL_END, Container
from spinstack.platforms.kubernetes import labels
from spinstack.platforms.kubernetes.cluster import reasons, times
from spinstack.platforms.kubernetes.cluster.output import rows, template
from spinstack.platforms.kubernetes.cluster.tree import (
    condition,
    items,
    label,
    leaving,
    mapping,
    named,
    number,
    text,
)
from spinstack.platforms.kubernetes.kubectl import NO_LIMIT, kubectl
from spinstack.text import read_json
from spinstack.transport.command import Command, Raw, program
from spinstack.transport.script import Step

if TYPE_CHECKING:
    from spinstack.config.kubernetes import Cluster

_LIMITED = Path(__file__).with_name("limited.sh")
_LABELS = ".metadata.labels."
_ROWS = template(
    "pod",
    f"{{{_LABELS}{labels.path(labels.PART_OF)}}}",
    f"{{{_LABELS}{labels.path(labels.NAME)}}}",
    "{.metadata.name}",
    '{.status.conditions[?(@.type=="Ready")].status}',
    "{.metadata.deletionTimestamp}",
    "{.metadata.creationTimestamp}",
    "{.status.phase}",
    "{.spec.containers[0].image}",
    "{.status.containerStatuses}",
)
# For a pod to appear where there is none: the shortest time is enough.
_NO_WAIT = "--pod-running-timeout=100ms"
# Bash if the container has it.
SHELL = ("sh", "-c", "command -v bash >/dev/null 2>&1 && exec bash; exec sh")
# Whatever a command may be given is held in memory until it is sent.
LARGEST_INPUT = 100_000_000


def containers_step(cluster: Cluster, must: bool = False) -> Step:
    """The pods of all stacks in the namespace, a row each, without what is in their variables."""
    call = kubectl(cluster, "get", "pods", "-l", labels.of_ours(), "-o", _ROWS)
    return Step("containers", (call,), must=must)


def parse(output: str, stack: str) -> dict[str, list[Container]]:
    """By service. The living ones are numbered by age; a pod's own name says no number. Raises
    Garbled."""
    return _by_service(rows(output, "pod", 9), stack)


def of_objects(found: Iterable[dict[str, Any]], stack: str) -> dict[str, list[Container]]:
    """The same, from objects of any kind."""
    return _by_service(map(_row, _pods(found)), stack)


def answering(found: Iterable[dict[str, Any]], stack: str) -> frozenset[str]:
    """The services with a ready pod, from objects of any kind."""
    return frozenset(
        label(one, labels.NAME)
        for one in _pods(found)
        if label(one, labels.PART_OF) == stack
        and text(condition(one, "Ready"), "status") == "True"
        and not leaving(one)
    )


def _pods(found: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    return (one for one in found if text(one, "kind") == "Pod")


def _row(pod: dict[str, Any]) -> list[str]:
    """As the template makes it."""
    containers = items(pod, "spec", "containers")
    return [
        label(pod, labels.PART_OF),
        label(pod, labels.NAME),
        named(pod),
        text(condition(pod, "Ready"), "status"),
        text(pod, "metadata", "deletionTimestamp"),
        text(pod, "metadata", "creationTimestamp"),
        text(pod, "status", "phase"),
        text(containers[0], "image") if containers else "",
        json.dumps(items(pod, "status", "containerStatuses")),
    ]


def _by_service(listed: Iterable[list[str]], stack: str) -> dict[str, list[Container]]:
    found: dict[str, list[list[str]]] = {}
    for row in listed:
        if row[0] == stack and row[1]:
            found.setdefault(row[1], []).append(row)
    return {service: _numbered(service, pods) for service, pods in found.items()}


def _numbered(service: str, pods: list[list[str]]) -> list[Container]:
    """Those that are being removed come last."""
    pods.sort(key=lambda row: (bool(row[4]), row[5], row[2]))
    return [_container(row, f"{service}-{number}") for number, row in enumerate(pods, 1)]


def _container(row: list[str], name: str) -> Container:
    _, _, pod, _, leaving, created, phase, image, told = row
    try:
        status = next(iter(items({"statuses": read_json(told)}, "statuses")), {})
    except ValueError:
        status = {}
    waiting = mapping(status, "state", "waiting")
    state = text(waiting, "reason") or phase.lower()
    if leaving:
        state = "terminating"
    elif mapping(status, "state", "running"):
        state = "running"
    elif mapping(status, "state", "terminated"):
        state = text(status, "state", "terminated", "reason") or "terminated"
    return Container(
        id=pod,
        name=name,
        state=state,
        created=created if times.moment(created) else "",
        starts=number(status, "restartCount") + 1 if status else 0,
        message=text(waiting, "message") or reasons.ended(status),
        image=image,
    )


def ask(cluster: Cluster, service: str, words: Sequence[str], seconds: int) -> Command:
    """Runs a command in a pod of the service's Deployment: kubectl prefers a ready one. Whether
    there is one, `answering` tells."""
    pod = f"deployment/{service}"
    run = kubectl(cluster, "exec", _NO_WAIT, pod, "--", *words, seconds=NO_LIMIT)
    return Command(Raw(f"{program(_LIMITED)}\n"), "limited", str(seconds), *run.words)


def exec_command(
    cluster: Cluster, pod: str, words: Sequence[str], *, terminal: bool, input_bytes: int
) -> Command:
    """Runs a command in a pod's container; reads so many bytes of input, and no more, or all."""
    if terminal:
        return kubectl(cluster, "exec", "-it", pod, "--", *words, seconds=NO_LIMIT)
    if not input_bytes:
        return kubectl(cluster, "exec", pod, "--", *words, seconds=NO_LIMIT)
    run = kubectl(cluster, "exec", "-i", pod, "--", *words, seconds=NO_LIMIT)
    if input_bytes == UNTIL_END:
        return run
    return Command("head", "-c", str(input_bytes), Raw("|"), *run.words)
