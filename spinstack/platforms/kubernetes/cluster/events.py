"""Why a service does not come up, in one sentence: from its state, and from what the cluster has
noted about its pods. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from spinstack.platforms.kubernetes.cluster import reasons
from spinstack.platforms.kubernetes.cluster.output import items
from spinstack.platforms.kubernetes.cluster.reasons import Reason
from spinstack.platforms.kubernetes.cluster.tree import (
    condition,
    is_of,
    named,
    number,
    text,
)
from spinstack.platforms.kubernetes.kubectl import kubectl
from spinstack.text import one_line
from spinstack.transport.script import Step

if TYPE_CHECKING:
    from spinstack.config.kubernetes import Cluster

# What only says that something has failed before.
_EMPTY = re.compile(r"Error: (ErrImagePull|ImagePullBackOff)$|Back-off ")
# What a container that starts well may say, too.
_USUAL = re.compile("Startup probe failed")
# Mounts that only a change ends: of the stack, or of what it mounts.
# Source: Kubernetes 1.37, pkg/volume/hostpath, pkg/volume/secret, pkg/volume/configmap.
_MISSING = re.compile(r"hostPath type check failed|(secret|configmap) \"[^\"]*\" not found")
# How often a mount has failed before it counts as one of those: the kubelet tries it again after
# half a second, one second, two …
_TRIED = 3


@dataclass(frozen=True)
class Event:
    """Something that the cluster has noted. `last`: when it last happened, ISO 8601."""

    kind: str
    name: str
    reason: str
    message: str
    count: int
    last: str

    @property
    def sentence(self) -> str:
        return f"{self.reason}: {self.message}"

    @property
    def hopeless(self) -> bool:
        """Whether what is to be mounted is missing, and was missing more than once."""
        missing = self.reason == "FailedMount" and _MISSING.search(self.message)
        return bool(missing) and self.count >= _TRIED


def events_step(cluster: Cluster) -> Step:
    """All warnings of the namespace: events have no labels."""
    words = ("get", "events", "--field-selector=type=Warning", "-o", "json")
    return Step("events", (kubectl(cluster, *words),), must=False)


def parse(output: str) -> list[Event]:
    """The warnings, oldest first. Raises Garbled."""
    found = [
        Event(
            kind=text(one, "involvedObject", "kind"),
            name=text(one, "involvedObject", "name"),
            reason=text(one, "reason"),
            message=one_line(text(one, "message")),
            count=number(one, "series", "count") or number(one, "count", otherwise=1),
            last=_last(one),
        )
        for one in items(output)
    ]
    return sorted(found, key=lambda event: event.last)


def _last(event: dict[str, Any]) -> str:
    times = (("series", "lastObservedTime"), ("lastTimestamp",), ("eventTime",))
    return next(filter(None, (text(event, *keys) for keys in times)), "")


def explain(states: str, events: str, stack: str, service: str) -> Reason:
    """Why a service is not up, from what `states` and `events` printed; its text is empty if
    nothing is known. Raises Garbled."""
    objects = items(states)
    deployment = next(_deployments(objects, stack, service), None)
    if deployment is None:
        return reasons.NONE
    pods = [one for one in objects if text(one, "kind") == "Pod" and is_of(one, stack, service)]
    current = reasons.newest(deployment, pods)
    reason = reasons.found(deployment, current)
    noted = _telling(parse(events), deployment, current)
    if noted is None or not (reason.vague or not reason.text):
        return reason
    said = f"{reason.text}: {noted.sentence}" if reason.text else noted.sentence
    # What was mounted at last has its event, too.
    starting = any(reasons.is_starting(pod) for pod in current)
    return Reason(said, reason.certain or (starting and noted.hopeless))


def _deployments(
    objects: Sequence[dict[str, Any]], stack: str, service: str
) -> Iterator[dict[str, Any]]:
    for one in objects:
        if text(one, "kind") == "Deployment" and is_of(one, stack, service):
            yield one


def _telling(
    events: Sequence[Event], deployment: dict[str, Any], pods: Sequence[dict[str, Any]]
) -> Event | None:
    """The newest event of the pods, or of what makes them; one that says little if there is no
    other."""
    names = {("Deployment", named(deployment)), *(("Pod", named(pod)) for pod in pods)}
    match = re.search(r'"([^"]+)"', text(condition(deployment, "Progressing"), "message"))
    names |= {("ReplicaSet", match[1])} if match else set()
    ours = [event for event in events if (event.kind, event.name) in names]
    telling = [event for event in ours if not _EMPTY.match(event.message)]
    rare = [event for event in telling if not _USUAL.match(event.message)]
    return next(reversed(rare or telling or ours), None)
