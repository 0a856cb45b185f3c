"""Makes, starts, stops and removes the containers of a service, and writes down how it went."""

from __future__ import annotations

import time
from collections.abc import Iterable
from concurrent.futures import TimeoutError as NotYet
from dataclasses import replace
from typing import Any

from spin_rehearsal.spin import mounts, ports, secret_files, secrets_and_volumes
from spin_rehearsal.spin.config import SpinConfig
from spin_rehearsal.spin.containers import OWNER_LABEL, Place, volume_name
from spin_rehearsal.spin.engine import Engine
from spin_rehearsal.spin.errors import StartFailure
from spin_rehearsal.spin.order import Order
from spin_rehearsal.spin.pulls import Pulls
from spin_rehearsal.spin.resources import Container, State
from spin_rehearsal.spin.store import Store
from spinstack.errors import SpinstackError

# A container that ran this long before it ended is started again without delay.
_STEADY = 60.0
_PORT_TAKEN = ("port is already allocated", "address already in use")


class Crew:
    """The engine below, the store beside: every order to the engine is recorded."""

    def __init__(self, config: SpinConfig, store: Store, engine: Engine) -> None:
        self._config = config
        self._store = store
        self._engine = engine
        self._pulls = Pulls(engine.pull)

    def ensure(self, order: Order, index: int) -> None:
        """The container with this number runs when this returns.

        Raises StartFailure when it can't, Superseded when it need not any more.
        """
        container = self._record(order, index)
        if container.state == "running":
            return
        try:
            self._reserve(order)
            if not container.engine_id:
                self._fetch(order)
                container = self._create(order, container)
            self._start(order, container)
        except (StartFailure, SpinstackError) as error:
            self._failed(container, error)
            raise StartFailure(str(error)) from None

    def _record(self, order: Order, index: int) -> Container:
        """The record of a container, new if there is none; a copy."""
        with self._store.transaction() as state:
            order.check()
            for container in state.current(state.services[order.service]):
                if container.index == index:
                    return replace(container)
            container = Container(
                id=state.new_id("i"),
                project=order.project,
                stack=order.stack,
                service=order.service,
                name=f"{order.stack_name}-{order.name}-{index}",
                index=index,
                generation=order.generation,
                image=order.launch.image,
                created=time.time(),
            )
            state.containers[container.id] = container
            return replace(container)

    def _reserve(self, order: Order) -> None:
        """The node has each published port once."""
        order.check()
        wanted = order.launch.ports
        if not all(ports.free(self._config.node_address, port) for port in wanted):
            raise StartFailure(ports.refusal(wanted))

    def _fetch(self, order: Order) -> None:
        """The image is on the node, pulled unless it was there."""
        image = order.launch.image
        if not order.launch.pull_always and self._engine.has_image(image):
            return
        self.tell(order.service, f"pulling {image}")
        pull = self._pulls.begin(image)
        while True:
            order.check()
            try:
                pull.result(timeout=0.1)
                return
            except NotYet:
                continue
            except (StartFailure, SpinstackError) as error:
                raise StartFailure(f"Image [{image}] failed to pull: {error}") from None

    def _create(self, order: Order, container: Container) -> Container:
        _must_reach(order)
        place = self._place(order, container)
        self._engine.ensure_network(place.network)
        order.check()
        with self._store.look() as state:
            secrets = secret_files.values(state, order.project, order.launch.secrets)
        given = secret_files.write(self._config.secret_files / container.id, secrets)
        launch = replace(order.launch, mounts=order.launch.mounts + given)
        engine_id = self._engine.create(launch, place)
        self.mark(container.id, engine_id=engine_id)
        with self._store.transaction() as state:
            secrets_and_volumes.mount(state, order.project, launch.mounts)
        self.tell(order.service, f"created {container.name} from {order.launch.image}")
        return replace(container, engine_id=engine_id)

    def _start(self, order: Order, container: Container) -> None:
        _must_reach(order)
        order.check()
        self.mark(container.id, state="starting", transitioning="yes", message="")
        begun = time.time()
        try:
            self._engine.start(container.engine_id)
        except StartFailure as error:
            if any(text in str(error) for text in _PORT_TAKEN):
                raise StartFailure(ports.refusal(order.launch.ports)) from None
            raise
        self._running(order, container, begun)
        self.tell(order.service, f"started {container.name}")

    def _running(self, order: Order, container: Container, begun: float) -> None:
        health = ""
        if order.launch.health:
            health = "reinitializing" if container.started else "initializing"
        self.mark(
            container.id,
            state="running",
            transitioning="no",
            message="",
            health=health,
            started=begun,
            exit_code=None,
        )

    def _failed(self, container: Container, error: Exception) -> None:
        """Its log tells why, since there is nothing else to read."""
        now = time.time()
        with self._store.transaction() as state:
            record = state.containers[container.id]
            self._delay(record, now)
            record.state, record.transitioning, record.message = "error", "error", str(error)
            record.exit_code = None
            service = state.services[record.service]
            service.happened(now, f"error: {container.name} can't be started: {error}")

    def _delay(self, container: Container, now: float) -> None:
        """When an ended container may be started again: later each time."""
        if container.started and now - container.started > _STEADY:
            container.restarts = 0
        delay = self._config.restart_delay * 2 ** min(container.restarts, 16)
        container.start_at = now + min(delay, self._config.restart_delay_longest)
        container.restarts += 1

    def ended(self, state: State, container: Container, exit_code: int, now: float) -> None:
        """Write down that a container ended by itself. Within a transaction."""
        self._delay(container, now)
        container.state, container.transitioning, container.address = "stopped", "no", ""
        container.health, container.exit_code = "", exit_code
        container.message = f"exited with code {exit_code}"
        state.services[container.service].happened(
            now, f"{container.name} exited with code {exit_code}"
        )

    def stop(self, containers: Iterable[Container]) -> None:
        """All together, SIGTERM first."""
        chosen = [c for c in containers if c.state != "stopped"]
        for container in chosen:
            self.mark(container.id, state="stopping", transitioning="yes")
        self._engine.stop([c.engine_id for c in chosen if c.engine_id])
        later = time.time() + self._config.restart_delay
        for container in chosen:
            self.mark(
                container.id,
                state="stopped",
                transitioning="no",
                message="",
                health="",
                address="",
                start_at=later,
            )
            self.tell(container.service, f"stopped {container.name}")

    def restart(self, order: Order, containers: Iterable[Container]) -> None:
        chosen = [c for c in containers if c.engine_id]
        begun = time.time()
        for container in chosen:
            self.mark(container.id, state="restarting", transitioning="yes", address="")
        try:
            self._engine.restart([c.engine_id for c in chosen])
        except (StartFailure, SpinstackError) as error:
            for container in chosen:
                self._failed(container, error)
            raise
        for container in chosen:
            self._running(order, container, begun)
            self.tell(order.service, f"restarted {container.name}")

    def remove(self, containers: Iterable[Container]) -> None:
        chosen = list(containers)
        for container in chosen:
            self.mark(container.id, state="removing", transitioning="yes")
        self._engine.remove([c.engine_id for c in chosen if c.engine_id])
        for container in chosen:
            self.mark(
                container.id, state="removed", transitioning="no", health="", removed=time.time()
            )
            secret_files.forget(self._config.secret_files / container.id)
            self.tell(container.service, f"removed {container.name}")

    def remove_volumes(self) -> None:
        """Those whose removal was asked for; one that the engine still needs stays a while."""
        with self._store.look() as state:
            going = [v for v in state.named_volumes.values() if v.state == "removing"]
        for volume in going:
            if self._engine.remove_volume(volume_name(volume.name, self._config.prefix)):
                with self._store.transaction() as state:
                    state.named_volumes.pop(volume.id, None)

    def remove_network(self, stack: str, project: str) -> None:
        self._engine.remove_network(self._network(stack, project))

    def mark(self, container_id: str, **changes: Any) -> None:
        """Change fields of a container's record."""
        with self._store.transaction() as state:
            container = state.containers[container_id]
            for key, value in changes.items():
                setattr(container, key, value)

    def tell(self, service_id: str, text: str) -> None:
        """Write down an event of a service."""
        with self._store.transaction() as state:
            state.services[service_id].happened(time.time(), text)

    def _network(self, stack_name: str, project: str) -> str:
        return f"{self._config.prefix}-{project}-{stack_name}"

    def _place(self, order: Order, container: Container) -> Place:
        return Place(
            prefix=self._config.prefix,
            engine_name=f"{self._config.prefix}-{container.name}-{container.id}",
            api_name=container.name[:63].rstrip("-"),
            network=self._network(order.stack_name, order.project),
            aliases=(order.name, f"{order.name}.{order.stack_name}"),
            node_address=self._config.node_address,
            labels=(
                (OWNER_LABEL, self._config.prefix),
                ("org.spinstack.stack", order.stack_name),
                ("org.spinstack.service", order.name),
                ("org.spinstack.instance", container.id),
                ("org.spinstack.generation", str(order.generation)),
            ),
        )


def _must_reach(order: Order) -> None:
    problem = mounts.problem(order.launch.mounts)
    if problem:
        raise StartFailure(problem)
