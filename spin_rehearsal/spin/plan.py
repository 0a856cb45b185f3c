"""What has to be done for a service, seen from what is written down. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from spin_rehearsal.spin import states
from spin_rehearsal.spin.launch import Launch
from spin_rehearsal.spin.resources import Container, Service, State

# States of a container in which something was asked of it by hand.
REQUESTED = frozenset({"stopping", "starting", "restarting", "removing"})
# After so many ends in a row a container counts as ill until it has run for a while (s).
_ENDS_OF_THE_ILL = 3
_A_WHILE = 10.0


@dataclass(frozen=True)
class Repair:
    """Something to mend in a service that should be running."""

    kind: Literal["start", "replace", "remove"]
    index: int
    container: str = ""


def due(state: State, service: Service, launch: Launch, now: float) -> bool:
    """Whether a worker has something to do for the service now."""
    if service.retry_at > now:
        return False
    if states.settles(service.state):
        return True
    if any(c.state in REQUESTED for c in state.containers_of(service.id)):
        return service.state != "removed"
    return service.state == "active" and bool(repairs(state, service, launch, now))


def repairs(state: State, service: Service, launch: Launch, now: float) -> list[Repair]:
    """What is wrong with the containers of an active service. In other states, `upgraded`
    above all, Rancher mends nothing."""
    present = {container.index: container for container in state.current(service)}
    found = [Repair("remove", c.index, c.id) for c in state.kept(service)]
    found += [Repair("remove", i, c.id) for i, c in present.items() if i > service.scale]
    for index in range(1, service.scale + 1):
        container = present.get(index)
        if container is None:
            found.append(Repair("start", index))
        elif container.state in ("creating", "stopped", "error"):
            if container.start_at <= now and not finished_once(container, launch):
                found.append(Repair("start", index, container.id))
        elif container.health == "unhealthy" and _recreated(launch):
            found.append(Repair("replace", index, container.id))
    return found


def finished_once(container: Container, launch: Launch) -> bool:
    """Whether this is a job that has been done (label start_once)."""
    return launch.start_once and container.exit_code is not None


def _recreated(launch: Launch) -> bool:
    return launch.health is not None and launch.health.strategy != "none"


def container_health(service: Service, container: Container, launch: Launch, now: float) -> str:
    """How a container counts for the health of its service."""
    if finished_once(container, launch):
        return "started-once"
    if container.state == "running":
        shaky = container.restarts >= _ENDS_OF_THE_ILL and now - container.started < _A_WHILE
        if shaky and container.health != "healthy":
            return "unhealthy"
        # Without a check, running is all that can be asked.
        return container.health or "healthy"
    ill = service.state == "upgraded" or container.state == "error"
    return "unhealthy" if ill or container.restarts >= _ENDS_OF_THE_ILL else "initializing"


def service_health(state: State, service: Service, launch: Launch, now: float) -> str:
    """The healthState of a service: the worst of its present containers, kept ones apart.
    Empty when it is not meant to run."""
    if service.state in ("registering", "inactive", "removing", "removed"):
        return ""
    found = [container_health(service, c, launch, now) for c in state.current(service)]
    if len(found) < service.scale:
        found.append("initializing")
    return states.worst_health(found)
