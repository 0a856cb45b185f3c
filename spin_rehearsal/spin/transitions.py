"""What happens in each state of a service until it settles in the next."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

from spin_rehearsal.spin import plan, states
from spin_rehearsal.spin.config import SpinConfig
from spin_rehearsal.spin.container_workers import Crew
from spin_rehearsal.spin.errors import StartFailure, Superseded
from spin_rehearsal.spin.order import Order
from spin_rehearsal.spin.resources import Container
from spin_rehearsal.spin.store import Store
from spinstack.errors import SpinstackError


class Transitions:
    """Carries one service at a time (never the same one twice at once) a step on."""

    def __init__(self, config: SpinConfig, store: Store, crew: Crew, log: logging.Logger) -> None:
        self._config = config
        self._store = store
        self._crew = crew
        self._log = log
        self._steps: dict[str, Callable[[Order], None]] = {
            "registering": lambda order: None,
            "activating": self._fill,
            "updating-active": self._fill,
            "restarting": self._restart,
            "upgrading": self._upgrade,
            "finishing-upgrade": self._remove_kept,
            "rolling-back": self._roll_back,
            "deactivating": self._deactivate,
            "removing": self._remove,
        }

    def advance(self, order: Order) -> None:
        """Do what the service's state asks for. A failure is written into the service."""
        try:
            self._requests(order)
            if order.state == "active":
                self._mend(order)
            elif order.state in self._steps:
                order.pause(self._config.transition)
                self._steps[order.state](order)
                self._settle(order)
        except Superseded:
            return
        except (StartFailure, SpinstackError) as error:
            self._failed(order, str(error))
        except Exception as error:
            # A defect must neither stop the other services nor leave this one in silence.
            self._log.exception("service %s in state %s", order.service, order.state)
            self._failed(order, f"internal error: {error}")

    def _settle(self, order: Order) -> None:
        with self._store.transaction() as state:
            order.check()
            service = state.services[order.service]
            if order.state in ("finishing-upgrade", "rolling-back"):
                service.previous, service.previous_generation = None, 0
            if order.state in ("activating", "updating-active"):
                service.current_scale = len(state.containers_of(service.id))
            service.state = states.SERVICE_SETTLES[order.state]
            service.transitioning, service.message = "no", ""
            service.failures, service.retry_at = 0, 0.0
            service.removed = time.time() if service.state == "removed" else 0.0
            service.happened(time.time(), service.state)
            if order.state == "registering" and service.start_on_create:
                service.state, service.transitioning = "activating", "yes"

    def _failed(self, order: Order, message: str) -> None:
        """The state stays, with the error; the server tries again later, as Rancher does."""
        now = time.time()
        with self._store.transaction() as state:
            service = state.services[order.service]
            if (service.state, service.generation) != (order.state, order.generation):
                return
            delay = self._config.retry_delay * 2 ** min(service.failures, 16)
            service.retry_at = now + min(delay, self._config.retry_delay_longest)
            service.failures += 1
            if states.settles(order.state):
                service.transitioning, service.message = "error", message
            service.happened(now, f"error while {order.state}: {message}")

    def _current(self, order: Order) -> list[Container]:
        with self._store.look() as state:
            return [replace(c) for c in state.current(state.services[order.service])]

    def _kept(self, order: Order) -> list[Container]:
        with self._store.look() as state:
            return [replace(c) for c in state.kept(state.services[order.service])]

    def _fill(self, order: Order) -> None:
        """As many containers as the scale says, and no more."""
        self._crew.remove(c for c in self._current(order) if c.index > order.scale)
        for index in range(1, order.scale + 1):
            self._crew.ensure(order, index)

    def _restart(self, order: Order) -> None:
        self._crew.restart(order, (c for c in self._current(order) if c.state == "running"))
        self._fill(order)

    def _upgrade(self, order: Order) -> None:
        """Batch by batch: the old ones are stopped and kept, the new ones started. With a
        published port the old ones go first, whatever was asked: the node has it once."""
        start_first = bool(order.strategy.get("startFirst")) and not order.launch.ports
        interval = float(order.strategy.get("intervalMillis", 1000)) / 1000
        for number, batch in enumerate(self._batches(order)):
            if number:
                order.pause(interval)
            if not start_first:
                self._stop_kept(order, batch)
            for index in batch:
                self._crew.ensure(order, index)
            if start_first:
                self._until_healthy(order, batch)
                self._stop_kept(order, batch)
        self._crew.stop(c for c in self._kept(order) if c.state == "running")

    def _batches(self, order: Order) -> Iterator[range]:
        size = max(int(order.strategy.get("batchSize", 2)), 1)
        for first in range(1, order.scale + 1, size):
            yield range(first, min(first + size, order.scale + 1))

    def _stop_kept(self, order: Order, batch: range) -> None:
        order.check()
        kept = self._kept(order)
        self._crew.stop(c for c in kept if c.index in batch and c.state != "stopped")

    def _until_healthy(self, order: Order, batch: range) -> None:
        while order.launch.health:
            present = [c for c in self._current(order) if c.index in batch]
            if all(c.health == "healthy" for c in present):
                return
            order.pause(self._config.poll)

    def _remove_kept(self, order: Order) -> None:
        self._crew.remove(self._kept(order))

    def _roll_back(self, order: Order) -> None:
        """The record already points at the former generation: the newer ones go."""
        self._crew.remove(self._kept(order))
        self._fill(order)

    def _deactivate(self, order: Order) -> None:
        self._crew.stop(self._current(order))
        self._crew.remove(self._kept(order))

    def _remove(self, order: Order) -> None:
        self._crew.remove([*self._current(order), *self._kept(order)])

    def _requests(self, order: Order) -> None:
        """What was asked of single containers by hand."""
        everyone = [*self._current(order), *self._kept(order)]
        self._crew.stop(c for c in everyone if c.state == "stopping")
        self._crew.remove(c for c in everyone if c.state == "removing")
        self._crew.restart(order, (c for c in everyone if c.state == "restarting"))
        for container in self._current(order):
            if container.state == "starting":
                self._crew.ensure(order, container.index)

    def _mend(self, order: Order) -> None:
        """A failure here is the container's, with its own delay; the others are mended all
        the same."""
        now = time.time()
        with self._store.look() as state:
            service = state.services[order.service]
            repairs = plan.repairs(state, service, order.launch, now)
            held = {c.id: replace(c) for c in state.containers_of(service.id)}
        for repair in repairs:
            order.check()
            if repair.kind != "start":
                self._crew.remove([held[repair.container]])
            if repair.kind == "replace":
                self._crew.tell(order.service, f"recreating {held[repair.container].name}")
            if repair.kind in ("start", "replace"):
                self._start_again(order, repair.index)

    def _start_again(self, order: Order, index: int) -> None:
        try:
            self._crew.ensure(order, index)
        except StartFailure:
            self._log.info("%s-%s-%d does not start", order.stack_name, order.name, index)
