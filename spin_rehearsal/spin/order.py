"""What a worker was asked to do: a copy of the service, and whether it is still wanted."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from spin_rehearsal.spin.errors import Superseded
from spin_rehearsal.spin.launch import Launch, parse
from spin_rehearsal.spin.resources import Json
from spin_rehearsal.spin.store import Store


@dataclass(frozen=True)
class Order:
    """A service as it was when its worker began; valid until its state changes."""

    service: str
    name: str
    stack: str
    stack_name: str
    project: str
    state: str
    generation: int
    scale: int
    launch: Launch
    strategy: Json
    store: Store = field(repr=False)
    stopping: threading.Event = field(repr=False)

    @classmethod
    def take(cls, store: Store, stopping: threading.Event, service_id: str) -> Order:
        """Raises Superseded when the service is gone."""
        with store.look() as state:
            service = state.services.get(service_id)
            if service is None or service.state == "removed":
                raise Superseded
            return cls(
                service=service.id,
                name=service.name,
                stack=service.stack,
                stack_name=state.stacks[service.stack].name,
                project=service.project,
                state=service.state,
                generation=service.generation,
                scale=service.scale,
                launch=parse(service.launch),
                strategy=dict(service.strategy),
                store=store,
                stopping=stopping,
            )

    def check(self) -> None:
        """Raises Superseded if the service was told something else, or the rehearsal stops."""
        with self.store.look() as state:
            service = state.services.get(self.service)
            same = service and (service.state, service.generation) == (self.state, self.generation)
        if not same or self.stopping.is_set():
            raise Superseded

    def pause(self, seconds: float) -> None:
        """Wait, but no longer than the order is valid."""
        left = seconds
        while left > 0:
            self.check()
            step = min(left, 0.1)
            self.stopping.wait(step)
            left -= step
        self.check()
