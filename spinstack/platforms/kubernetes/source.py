"""What the objects of one service are made from: the service with everything filled in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from spinstack.config import compose_keys, interpolation
from spinstack.config import services as config_services
from spinstack.config.kubernetes import Cluster
from spinstack.config.service_settings import ServiceSetting
from spinstack.config.settings import Destination
from spinstack.config.stack import COMPUTED_THERE, SOME_UID, Stack
from spinstack.errors import SpinstackError
from spinstack.platforms.kubernetes import labels
from spinstack.rules.service import Service

# Of a service of which the settings say nothing.
_UNSET = ServiceSetting(None, 1, None, frozenset(), "spinstack.services")
UID_REMEDY = "add uid: with the number that `id -u` prints at the centre"


@dataclass(frozen=True)
class Source:
    """A service of a stack for one destination. `keys`: as written, with variables filled in;
    `environment`: the variables of its container; `setting`: its health check and the like;
    `public`: whether visitors talk to it."""

    stack: Stack
    cluster: Cluster
    service: Service
    keys: Mapping[str, Any]
    environment: Mapping[str, str]
    setting: ServiceSetting
    public: bool

    @property
    def name(self) -> str:
        return self.service.name

    @property
    def selector(self) -> dict[str, str]:
        """The labels by which its pods are found; can't be changed once a Deployment has them."""
        return {labels.NAME: self.name, labels.PART_OF: self.stack.name}

    @property
    def described(self) -> dict[str, str]:
        """The labels of all that belongs to it."""
        return {**self.selector, labels.MANAGED_BY: labels.MANAGER}

    @property
    def notes(self) -> dict[str, str]:
        """What stands under `labels:` in the compose file, names and values."""
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
    if cluster_of(destination).uid is None and uses_uid(stack):
        raise SpinstackError(
            "the user id that containers run as is not set",
            where=uid_place(destination),
            remedy=UID_REMEDY,
        )
    return described(stack, destination)


def described(stack: Stack, destination: Destination) -> list[Source]:
    """As `sources`, with somebody's id where none is set."""
    cluster = cluster_of(destination)
    uid = SOME_UID if cluster.uid is None else str(cluster.uid)
    values = stack.variables(destination)
    known = {**dict.fromkeys(COMPUTED_THERE, uid), **values}
    services, _ = stack.services(destination, uid)
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
                setting=stack.service_settings.get(service.name, _UNSET),
                public=bool(service.ports) and service.name == stack.public_service,
            )
        )
    return found


def uid_place(destination: Destination) -> str:
    """Where the user id is set."""
    return f"invoke.yaml, destination {destination.name}, kubernetes.uid"


def own_keys() -> tuple[frozenset[str], str]:
    """Keys and labels that no other program knows: the file is still one that Rancher reads."""
    return compose_keys.RANCHER_ONLY, compose_keys.LABELS


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
