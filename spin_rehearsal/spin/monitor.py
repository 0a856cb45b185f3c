"""The loop that looks at the containers, asks after their health and sets workers going."""

from __future__ import annotations

import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from spin_rehearsal.spin import plan
from spin_rehearsal.spin.config import SpinConfig
from spin_rehearsal.spin.container_workers import Crew
from spin_rehearsal.spin.engine import Engine
from spin_rehearsal.spin.errors import ApiError, StartFailure, Superseded
from spin_rehearsal.spin.health import Tracker, probe
from spin_rehearsal.spin.launch import parse
from spin_rehearsal.spin.order import Order
from spin_rehearsal.spin.resources import Container, State
from spin_rehearsal.spin.store import Store
from spin_rehearsal.spin.transitions import Transitions
from spinstack.errors import SpinstackError


class Monitor:
    """One thread that looks and dispatches; a thread for each service that has work."""

    def __init__(
        self, config: SpinConfig, store: Store, engine: Engine, log: logging.Logger
    ) -> None:
        self._config = config
        self._store = store
        self._engine = engine
        self._log = log
        self._crew = Crew(config, store, engine)
        self._transitions = Transitions(config, store, self._crew, log)
        self._stopping = threading.Event()
        self._wake = threading.Event()
        self._busy: dict[str, threading.Thread] = {}
        self._trackers: dict[tuple[str, float], Tracker] = {}
        self._probes = ThreadPoolExecutor(4, "health")
        self._thread = threading.Thread(target=self._run, name="monitor", daemon=True)
        self._looked = 0.0
        self._trouble = ""

    def start(self) -> None:
        self._adopt()
        self._thread.start()

    def stop(self) -> None:
        """Ends all workers; containers keep running."""
        self._stopping.set()
        self._wake.set()
        with self._store.look():
            workers = list(self._busy.values())
        for thread in [self._thread, *workers]:
            if thread.is_alive():
                thread.join(timeout=self._config.stop_timeout + 5)
        self._probes.shutdown(wait=False, cancel_futures=True)

    def wake(self) -> None:
        """Something was asked: look at once."""
        self._wake.set()

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._tick()
                self._trouble = ""
            except (StartFailure, SpinstackError) as error:
                # An engine that is away is told once, not at every poll.
                if str(error) != self._trouble:
                    self._log.warning("%s", error)
                self._trouble = str(error)
            except Exception:
                # Without this thread nothing would ever be mended again.
                self._log.exception("the monitor stumbled")
            self._wake.wait(self._config.poll)
            self._wake.clear()

    def _tick(self) -> None:
        now = time.time()
        self._dispatch(now)
        if now - self._looked >= self._config.poll:
            self._looked = now
            self._look()
            self._ask(time.time())
            self._forget(now)
            self._dispatch(time.time())

    def _running(self) -> list[Container]:
        with self._store.look() as state:
            every = state.containers.values()
            return [replace(c) for c in every if c.state == "running" and c.engine_id]

    def _adopt(self) -> None:
        """After a start: what ran and does not run any more is started again."""
        before = self._running()
        try:
            sights = self._engine.look(c.engine_id for c in before)
        except (StartFailure, SpinstackError) as error:
            self._log.warning("can't see the containers: %s", error)
            return
        with self._store.transaction() as state:
            for container in before:
                sight = sights.get(container.engine_id)
                if sight is None or not sight.running:
                    record = state.containers[container.id]
                    present = record.generation == state.services[record.service].generation
                    record.state = "starting" if present else "stopped"
                    record.engine_id = record.engine_id if sight else ""

    def _look(self) -> None:
        """Write down what the engine says of the containers that should run."""
        before = self._running()
        sights = self._engine.look(c.engine_id for c in before)
        now = time.time()
        with self._store.transaction() as state:
            for container in before:
                record = state.containers[container.id]
                # Stopped or started again while we looked: what was seen is out of date.
                if (record.state, record.started) != ("running", container.started):
                    continue
                sight = sights.get(container.engine_id)
                if sight is None:
                    record.engine_id = ""
                    self._crew.ended(state, record, 137, now)
                elif not sight.running:
                    self._crew.ended(state, record, sight.exit_code, now)
                else:
                    record.address = sight.address

    def _ask(self, now: float) -> None:
        """Send out the health checks that are due."""
        with self._store.look() as state:
            running = {
                (c.id, c.started): (c.address, self._tracker(state, c))
                for c in state.containers.values()
                if c.state == "running" and c.address
            }
        self._trackers = {key: tracker for key, (_, tracker) in running.items() if tracker}
        for key, (address, tracker) in running.items():
            if tracker and tracker.due <= now and not tracker.asking:
                tracker.asking = True
                self._probes.submit(self._probe, key, address, tracker)

    def _tracker(self, state: State, container: Container) -> Tracker | None:
        """The tracker of a container that has a health check."""
        known = self._trackers.get((container.id, container.started))
        if known or not container.health:
            return known
        service = state.services[container.service]
        kept = container.generation != service.generation
        launch = service.previous if kept and service.previous else service.launch
        check = parse(launch).health
        return Tracker(check, container.health, container.started) if check else None

    def _probe(self, key: tuple[str, float], address: str, tracker: Tracker) -> None:
        trouble = probe(address, tracker.check)
        now = time.time()
        before = tracker.state
        after = tracker.observe(not trouble, now)
        tracker.asking = False
        if after == before:
            return
        with self._store.transaction() as state:
            record = state.containers[key[0]]
            if (record.state, record.started) == ("running", key[1]):
                record.health = after
                told = f"{record.name} is {after}" + (f": {trouble}" if trouble else "")
                state.services[record.service].happened(now, told)
        self.wake()

    def _forget(self, now: float) -> None:
        """Drop what was removed long ago, and the stacks whose services are all gone."""
        self._crew.remove_volumes()
        long_ago = now - self._config.remember_removed
        with self._store.transaction() as state:
            state.forget(long_ago)
            emptied = [
                stack
                for stack in state.stacks.values()
                if stack.state == "removing" and not state.services_of(stack.id)
            ]
        for stack in emptied:
            self._crew.remove_network(stack.name, stack.project)
            with self._store.transaction() as state:
                stack.state, stack.removed = "removed", now
                state.volumes = {k: v for k, v in state.volumes.items() if v.stack != stack.id}

    def _dispatch(self, now: float) -> None:
        """A worker for each service that has something to do and none yet."""
        with self._store.look() as state:
            for service in state.services.values():
                if service.id in self._busy or self._stopping.is_set():
                    continue
                try:
                    waiting = plan.due(state, service, parse(service.launch), now)
                except ApiError as error:
                    self._log.warning("service %s: %s", service.id, error)
                    continue
                if waiting:
                    self._begin(service.id)

    def _begin(self, service_id: str) -> None:
        thread = threading.Thread(
            target=self._work, args=(service_id,), name=service_id, daemon=True
        )
        self._busy[service_id] = thread
        thread.start()

    def _work(self, service_id: str) -> None:
        try:
            self._transitions.advance(Order.take(self._store, self._stopping, service_id))
        except Superseded:
            pass
        finally:
            with self._store.look():
                self._busy.pop(service_id, None)
            self.wake()
