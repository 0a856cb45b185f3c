"""What every platform has: services and their states, containers, secrets and volumes, limits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

# Seconds that one quick call may take (its own limit to the server is 10 s a request).
QUICK = 60
# Seconds for calls that wait for containers: an image of 1 GB may have to be pulled.
SLOW = 900
# Seconds that a log or a status is followed at most.
DAY = 86_400


@dataclass(frozen=True)
class Endpoint:
    """Where a published port answers."""

    ip: str
    port: int


@dataclass(frozen=True)
class ServiceState:
    """A service as Rancher tells it. `state`: active, upgraded, …; `health`: healthy,
    initializing, unhealthy or empty without a check; `message`: why it is stuck."""

    stack: str
    name: str
    state: str
    health: str = ""
    transitioning: str = "no"
    message: str = ""
    image: str = ""
    scale: int = 1
    current: int = 0
    fqdn: str = ""
    endpoints: tuple[Endpoint, ...] = field(default_factory=tuple)
    created: str = ""

    @property
    def shown(self) -> str:
        """One word, as `rancher ps` combines state and health."""
        return self.health if self.state == "active" and self.health else self.state

    @property
    def stuck(self) -> bool:
        """Rancher has given up on it: an image that can't be pulled, a refused mount."""
        return self.transitioning == "error"

    @property
    def up(self) -> bool:
        """Running, and healthy if there is a health check."""
        running = self.state in ("active", "upgraded") and self.transitioning != "yes"
        return running and self.health in ("", "healthy")

    @property
    def unconfirmed(self) -> bool:
        """An upgrade was begun and neither confirmed nor rolled back."""
        return self.state in ("upgraded", "upgrading")


@dataclass(frozen=True)
class TakenPort:
    """A port that a service of some stack publishes."""

    port: str
    stack: str
    service: str


@dataclass(frozen=True)
class Container:
    """A container as Rancher tells it. `created`: ISO 8601, UTC; `starts`: how often it was
    started, 0 where that is not told."""

    id: str
    name: str
    state: str
    created: str = ""
    starts: int = 0
    message: str = ""

    @property
    def number(self) -> int:
        """The last part of its name: `nw-desi-web-2` has 2; 0 without one."""
        last = self.name.rsplit("-", 1)[-1]
        return int(last) if last.isdigit() else 0


def running(containers: Sequence[Container]) -> list[Container]:
    """Those that run: an upgrade keeps old ones of the very same name, stopped."""
    return [container for container in containers if container.state == "running"]


# Seconds until services are stopped or removed: SIGTERM, 10 s, SIGKILL, and some air.
STOP_SECONDS = 120


@dataclass(frozen=True)
class Thing:
    """A secret or a volume as Rancher lists it. `created`: ISO 8601; empty for volumes."""

    id: str
    name: str
    created: str = ""
    state: str = ""
    driver: str = ""
