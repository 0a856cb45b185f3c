"""Why a service does not come up, in one sentence: from its state, and from what the cluster has
noted about its pods. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from spinstack.platforms.kubernetes.cluster import reasons
from spinstack.platforms.kubernetes.cluster.output import items
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


def explain(states: str, events: str, stack: str, service: str) -> str:
    """Why a service is not up, from what `states` and `events` printed; empty if nothing is known.
    Raises Garbled."""
    objects = items(states)
    deployment = next(_deployments(objects, stack, service), None)
    if deployment is None:
        return ""
    pods = [one for one in objects if text(one, "kind") == "Pod" and is_of(one, stack, service)]
    current = reasons.newest(deployment, pods)
    reason = reasons.found(deployment, current)
    noted = _telling(parse(events), deployment, current)
    said = reason.text
    if noted and (reason.vague or not said):
        said = f"{said}: {noted.sentence}" if said else noted.sentence
    return said


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
