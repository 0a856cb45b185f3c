"""Which step is possible in which state: Rancher 1.6's process table as data. Pure.

Source: observation of the client 0.6.7 and the published process table of the server.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

# State of a service -> actions that it offers, in the order in which they are listed.
SERVICE_ACTIONS: Final[dict[str, tuple[str, ...]]] = {
    "registering": ("remove",),
    "inactive": ("activate", "upgrade", "update", "remove"),
    "activating": ("deactivate", "update", "remove"),
    "active": ("deactivate", "restart", "upgrade", "update", "remove"),
    "updating-active": ("deactivate", "update", "remove"),
    "restarting": ("deactivate", "remove"),
    "upgrading": ("rollback", "remove"),
    "upgraded": ("finishupgrade", "rollback", "update", "remove"),
    "finishing-upgrade": ("remove",),
    "rolling-back": ("remove",),
    "deactivating": ("remove",),
    "removing": (),
    "removed": (),
}

# Action of a service -> the state it goes into.
SERVICE_NEXT: Final[dict[str, str]] = {
    "activate": "activating",
    "deactivate": "deactivating",
    "restart": "restarting",
    "upgrade": "upgrading",
    "finishupgrade": "finishing-upgrade",
    "rollback": "rolling-back",
    "remove": "removing",
}

# State that passes by itself -> the state it ends in.
SERVICE_SETTLES: Final[dict[str, str]] = {
    "registering": "inactive",
    "activating": "active",
    "updating-active": "active",
    "restarting": "active",
    "upgrading": "upgraded",
    "finishing-upgrade": "active",
    "rolling-back": "active",
    "deactivating": "inactive",
    "removing": "removed",
}

# What Rancher says of a service in these states until its containers run.
WAITING: Final = "Waiting for instances to start"
WAITS_FOR_CONTAINERS: Final = frozenset({"activating", "updating-active", "upgrading"})

STACK_ACTIONS: Final[dict[str, tuple[str, ...]]] = {
    "active": ("activateservices", "deactivateservices", "update", "remove"),
    "removing": (),
    "removed": (),
}

CONTAINER_ACTIONS: Final[dict[str, tuple[str, ...]]] = {
    "creating": (),
    "starting": ("stop",),
    "running": ("stop", "restart", "execute", "logs", "update"),
    "restarting": (),
    "stopping": (),
    "stopped": ("start", "remove", "logs", "update"),
    # A container that could not be started: its reason is its log.
    "error": ("remove", "logs"),
    "removing": (),
    "removed": (),
}

CONTAINER_NEXT: Final[dict[str, str]] = {
    "stop": "stopping",
    "start": "starting",
    "restart": "restarting",
    "remove": "removing",
}

# States of a service in which its scale can't be changed: 409.
SCALE_FIXED: Final = frozenset(
    {"upgrading", "upgraded", "finishing-upgrade", "rolling-back", "removing", "removed"}
)

# States in which stopping a whole stack passes a service over.
STOPPED_ALREADY: Final = frozenset({"inactive", "deactivating", "removing", "removed"})

# From good to bad; a service is as well as the worst of its containers.
_HEALTH_ORDER: Final = ("healthy", "started-once", "reinitializing", "initializing", "unhealthy")


def settles(state: str) -> bool:
    """Whether a service is on its way from one state to another."""
    return state in SERVICE_SETTLES


def worst_health(healths: Iterable[str]) -> str:
    """The worst of several; empty if there is none."""
    known = [health for health in healths if health]
    return max(known, key=_HEALTH_ORDER.index, default="")
