"""Waits for resources to come to rest."""

from __future__ import annotations

import time
from collections.abc import Iterable

from .api import BadResponse, Project, Resource
from .failure import Failure

# Seconds between two looks; measured at the real client's `up`.
_PAUSE = 0.15
_REMOVED = "removed"


def settled(project: Project, resource: Resource) -> Resource:
    """The resource as it is once it is no longer `transitioning: yes`; without a time limit.

    `transitioning: error` counts as settled: that is why `up -d` exits 0 on a failed start.
    """
    while resource.get("transitioning") == "yes":
        time.sleep(_PAUSE)
        resource = project.get(resource["type"], resource["id"])
    return resource


def wait_for(project: Project, resources: Iterable[Resource], state: str, timeout: float) -> None:
    """Wait until each is at rest and its state or healthState is `state`.

    `timeout` in seconds, for all of them together. Raises Failure when the time is up or
    the server gives one of them up.
    """
    limit = time.monotonic() + timeout
    for resource in resources:
        while not _reached(project, resource, state):
            if time.monotonic() > limit:
                raise Failure("Timeout")
            time.sleep(_PAUSE)


def _reached(project: Project, resource: Resource, state: str) -> bool:
    type_, id_ = resource["type"], resource["id"]
    try:
        now = project.get(type_, id_)
    except BadResponse as problem:
        if problem.status == 404 and state == _REMOVED:
            return True
        raise
    if now.get("transitioning") == "error":
        raise Failure(f"{type_}:{id_} failed: {now.get('transitioningMessage', '')}")
    return now.get("transitioning") != "yes" and state in (now.get("state"), now.get("healthState"))
