"""What the objects of one service are made from: the service with everything filled in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from spinstack.config import interpolation
from spinstack.config import services as config_services
from spinstack.config.kubernetes import Cluster
from spinstack.config.settings import Destination
from spinstack.config.stack import COMPUTED_THERE, Stack
from spinstack.errors import SpinstackError
from spinstack.platforms.kubernetes.health import Health, health
from spinstack.rules.service import Service

# Whose objects they are.
MANAGER = "spinstack"
# In a service's labels: a command with which its program ends when its work is done.
STOP_LABEL = "spinstack.stop"


@dataclass(frozen=True)
class Source:
    """A service of a stack for one destination. `keys`: as written, with variables filled in;
    `environment`: the variables of its container; `public`: whether visitors talk to it."""

    stack: Stack
    cluster: Cluster
    service: Service
    keys: Mapping[str, Any]
    environment: Mapping[str, str]
    health: Health
    public: bool

    @property
    def name(self) -> str:
        return self.service.name

    @property
    def selector(self) -> dict[str, str]:
        """The labels by which its pods are found; can't be changed once a Deployment has them."""
        return {
            "app.kubernetes.io/name": self.name,
            "app.kubernetes.io/part-of": self.stack.name,
        }

    @property
    def described(self) -> dict[str, str]:
        """The labels of all that belongs to it."""
        return {**self.selector, "app.kubernetes.io/managed-by": MANAGER}

    @property
    def labels(self) -> dict[str, str]:
        """Those of its own (`labels:` in the compose file), names and values."""
        pairs = config_services.pairs(self.keys.get("labels"))
        return {name: value or "" for name, value in pairs.items()}


def cluster_of(destination: Destination) -> Cluster:
    """Where it is. Raises ValueError for a destination of another platform."""
    if destination.kubernetes is None:
        raise ValueError(f"{destination.name} is no destination on Kubernetes")
    return destination.kubernetes


def sources(stack: Stack, destination: Destination) -> list[Source]:
    """Every service, in the order of the compose file. Raises SpinstackError if a value that only
    the settings know is not set."""
    cluster = cluster_of(destination)
    if cluster.uid is None and uses_uid(stack):
        raise SpinstackError(
            "the user id that containers run as is not set",
            where=f"spinstack.destinations.{destination.name}.kubernetes",
            remedy="add uid: with the number that `id -u` prints at the centre",
        )
    values = stack.variables(destination)
    known = {**dict.fromkeys(COMPUTED_THERE, str(cluster.uid)), **values}
    services, _ = stack.services(destination, str(cluster.uid))
    checks = health(stack)
    found = []
    for service in services:
        written = stack.compose.services[service.name]
        keys = interpolation.interpolate(written if isinstance(written, dict) else {}, known)
        found.append(
            Source(
                stack=stack,
                cluster=cluster,
                service=service,
                keys=keys,
                environment=_environment(stack, keys, values),
                health=checks[service.name],
                public=bool(service.ports) and service.name == stack.public_service,
            )
        )
    return found


def uses_uid(stack: Stack) -> bool:
    """Whether the compose file says ${UID} anywhere."""
    return any(one.name in COMPUTED_THERE for one in interpolation.references(stack.compose))


def _environment(
    stack: Stack, keys: Mapping[str, Any], values: Mapping[str, str]
) -> dict[str, str]:
    """Without the references of images that a release's env file has: a new image of one service
    would replace the containers of all."""
    found = stack.environment(keys, values)
    own = config_services.own_environment(keys)
    return {name: it for name, it in found.items() if name in own or name not in stack.images}
