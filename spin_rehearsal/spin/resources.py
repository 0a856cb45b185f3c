"""What the Spin service remembers: plain records that go into its state file as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal, Protocol, TypeVar

Transitioning = Literal["no", "yes", "error"]
Json = dict[str, Any]
Record = TypeVar("Record")

EVENTS_KEPT = 100


@dataclass
class Event:
    """Something that happened to a service; `time` in seconds since 1970."""

    time: float
    text: str


@dataclass
class Key:
    """An API key. Of the secret only the SHA-256 is kept."""

    access: str
    secret_sha256: str
    created: float


@dataclass
class Stack:
    id: str
    project: str
    name: str
    created: float
    state: str = "active"
    description: str = ""
    removed: float = 0.0


@dataclass
class Volume:
    """A volume template of a stack."""

    id: str
    project: str
    stack: str
    name: str
    driver: str
    created: float


@dataclass
class NamedVolume:
    """A volume of the environment, made by itself; the engine has it from the first container
    that mounts it. `state`: inactive until then, active or removing."""

    id: str
    project: str
    name: str
    driver: str
    created: float
    state: str = "inactive"


@dataclass
class Secret:
    """A secret of the environment. `value`: base64; it leaves the service only into containers."""

    id: str
    project: str
    name: str
    value: str = field(repr=False)
    created: float
    description: str = ""


@dataclass
class Service:
    """A service. `launch` is its launchConfig as sent; `previous` the one before an upgrade,
    whose containers (of generation `previous_generation`) are kept; `current_scale`: how many
    containers it had, running or not, when it was last activated or updated."""

    id: str
    project: str
    stack: str
    name: str
    created: float
    launch: Json
    state: str = "registering"
    transitioning: Transitioning = "yes"
    message: str = ""
    description: str = ""
    scale: int = 1
    current_scale: int = 0
    retain_ip: bool = False
    start_on_create: bool = False
    metadata: Json = field(default_factory=dict)
    generation: int = 1
    last_generation: int = 1
    previous: Json | None = None
    previous_generation: int = 0
    strategy: Json = field(default_factory=dict)
    failures: int = 0
    retry_at: float = 0.0
    removed: float = 0.0
    events: list[Event] = field(default_factory=list)

    def happened(self, now: float, text: str) -> None:
        self.events.append(Event(now, text))
        del self.events[:-EVENTS_KEPT]


@dataclass
class Container:
    """A container of a service, running or not. `engine_id` is empty while there is none.

    `started`: when it was last started; `start_at`: not to be started again before.
    """

    id: str
    project: str
    stack: str
    service: str
    name: str
    index: int
    generation: int
    image: str
    created: float
    engine_id: str = ""
    state: str = "creating"
    transitioning: Transitioning = "yes"
    message: str = ""
    health: str = ""
    address: str = ""
    exit_code: int | None = None
    restarts: int = 0
    started: float = 0.0
    start_at: float = 0.0
    removed: float = 0.0


@dataclass
class State:
    """Everything, by id."""

    counters: dict[str, int] = field(default_factory=dict)
    keys: dict[str, Key] = field(default_factory=dict)
    stacks: dict[str, Stack] = field(default_factory=dict)
    services: dict[str, Service] = field(default_factory=dict)
    containers: dict[str, Container] = field(default_factory=dict)
    volumes: dict[str, Volume] = field(default_factory=dict)
    named_volumes: dict[str, NamedVolume] = field(default_factory=dict)
    secrets: dict[str, Secret] = field(default_factory=dict)

    def new_id(self, kind: str) -> str:
        """The next id of a kind: `1st1`, `1s1`, `1i1`, `1vt1`, `1v1`, `1se1`."""
        self.counters[kind] = self.counters.get(kind, 0) + 1
        return f"1{kind}{self.counters[kind]}"

    def services_of(self, stack: str) -> list[Service]:
        """Those of a stack that are not removed, oldest first."""
        return [s for s in self.services.values() if s.stack == stack and s.state != "removed"]

    def containers_of(self, service: str) -> list[Container]:
        """Those of a service that are not removed, kept ones of an upgrade included."""
        return [
            c for c in self.containers.values() if c.service == service and c.state != "removed"
        ]

    def current(self, service: Service) -> list[Container]:
        """The containers of the service's present generation."""
        found = self.containers_of(service.id)
        return [c for c in found if c.generation == service.generation]

    def kept(self, service: Service) -> list[Container]:
        """Containers of other generations."""
        found = self.containers_of(service.id)
        return [c for c in found if c.generation != service.generation]

    def forget(self, before: float) -> None:
        """Drop what was removed before a moment; until then it can be asked for by its id."""
        self.containers = _remaining(self.containers, before)
        self.services = _remaining(self.services, before)
        self.stacks = _remaining(self.stacks, before)

    def as_json(self) -> Json:
        return asdict(self)

    @classmethod
    def from_json(cls, data: Json) -> State:
        """Raises TypeError, KeyError or AttributeError for data of another shape."""
        services = dict(_records(Service, data.get("services", {})))
        for service in services.values():
            service.events = [_record(Event, event) for event in service.events]  # type: ignore[arg-type]
        return cls(
            counters={str(key): int(number) for key, number in data.get("counters", {}).items()},
            keys=dict(_records(Key, data.get("keys", {}))),
            stacks=dict(_records(Stack, data.get("stacks", {}))),
            services=services,
            containers=dict(_records(Container, data.get("containers", {}))),
            volumes=dict(_records(Volume, data.get("volumes", {}))),
            named_volumes=dict(_records(NamedVolume, data.get("named_volumes", {}))),
            secrets=dict(_records(Secret, data.get("secrets", {}))),
        )


class _Removable(Protocol):
    state: str
    removed: float


Removable = TypeVar("Removable", bound=_Removable)


def _remaining(records: dict[str, Removable], before: float) -> dict[str, Removable]:
    return {k: r for k, r in records.items() if r.state != "removed" or r.removed >= before}


def _record(kind: type[Record], data: Json) -> Record:
    """A record of a file; keys of another version of spinstack are passed over."""
    known = {item.name for item in fields(kind)}  # type: ignore[arg-type]
    return kind(**{key: value for key, value in data.items() if key in known})


def _records(kind: type[Record], data: Json) -> Iterator[tuple[str, Record]]:
    for key, value in data.items():
        yield key, _record(kind, value)
