"""Waiting for services: evaluating their states round by round, and the site's address."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from spinstack.errors import SpinstackError
from spinstack.platforms.base import Garbled, Platform, ServiceState
from spinstack.transport.script import tail

if TYPE_CHECKING:
    from spinstack.config.settings import Destination

# Rounds of about a second that a service may be unhealthy before it counts as failed.
UNHEALTHY_ROUNDS = 3
# Seconds that a page of the site may take to respond correctly after the services are healthy;
# less if healthy_within is less.
ANSWER_SECONDS = 60
# Seconds that a platform may give no answer, or an unexpected one, while waiting.
SILENT_SECONDS = 60
USUAL_PORTS = {"http": 80, "https": 443}


class Watcher:
    """Evaluates the states of services, round by round. `patience`: how many rounds in a row a
    platform must have given up on a service, where it may still think better of it."""

    def __init__(self, wanted: list[str], patience: int = 1) -> None:
        self.states: list[ServiceState] = []
        self._wanted = wanted
        self._patience = patience
        self._unhealthy = dict.fromkeys(wanted, 0)
        self._stuck = dict.fromkeys(wanted, 0)

    def take(self, states: list[ServiceState]) -> bool:
        """Whether there is nothing left to wait for, good or bad."""
        self.states = [state for state in states if state.name in self._wanted]
        for state in self.states:
            count = self._unhealthy[state.name]
            self._unhealthy[state.name] = count + 1 if state.health == "unhealthy" else 0
            self._stuck[state.name] = self._stuck[state.name] + 1 if state.stuck else 0
        return self.all_up or bool(self.hopeless)

    @property
    def all_up(self) -> bool:
        return {state.name for state in self.states if state.up} == set(self._wanted)

    @property
    def hopeless(self) -> list[ServiceState]:
        """Services that the platform gave up on, or that remain unhealthy."""
        return [
            state
            for state in self.states
            if self._stuck[state.name] >= self._patience
            or self._unhealthy[state.name] >= UNHEALTHY_ROUNDS
        ]

    @property
    def summary(self) -> str:
        return self._summary(_told)

    def _summary(self, told: Callable[[ServiceState], str]) -> str:
        seen = {state.name: told(state) for state in self.states}
        return ", ".join(f"{name} {seen.get(name, 'missing')}" for name in self._wanted)

    def judge(self, limit: int, stack: str) -> None:
        """Raises ServicesFailed unless all are up."""
        if self.all_up:
            return
        bad = self.hopeless or [state for state in self.states if not state.up]
        names = [state.name for state in bad] or self._wanted
        reasons = list(dict.fromkeys(state.message for state in bad if state.message))
        what = f"did not become healthy within {limit} s"
        if self.hopeless:
            stuck = any(state.stuck for state in bad)
            what = "failed" if stuck else "failed the health check"
        raise ServicesFailed(
            f"{' and '.join(names)} {what}" + (f": {'; '.join(reasons)}" if reasons else ""),
            names,
            # Why is said once.
            where=f"{stack}: {self._summary(_brief)}",
        )


def shown(states: Sequence[ServiceState]) -> str:
    """`app healthy, web inactive`."""
    return ", ".join(f"{state.name} {state.shown}" for state in states)


def _told(state: ServiceState) -> str:
    """With what it waits for: while it changes state the platform's reason, then its health."""
    if state.moving and state.message:
        return f"{state.state} ({state.message})"
    return _brief(state)


def _brief(state: ServiceState) -> str:
    return state.shown if state.health in ("", state.shown) else f"{state.state} ({state.health})"


class ServicesFailed(SpinstackError):
    """Services that did not come up; `services` names them."""

    def __init__(self, what: str, services: list[str], *, where: str) -> None:
        super().__init__(what, where=where)
        self.services = services


class SiteFailed(ServicesFailed):
    """All services are up, but the site is not responding correctly."""


def address(states: list[ServiceState], destination: Destination) -> str:
    """Where visitors find the site: `http://HOST:PORT`, without a port that goes without saying;
    empty if no port is published."""
    for state in states:
        for endpoint in state.endpoints:
            host = state.fqdn if destination.address == "fqdn" and state.fqdn else endpoint.ip
            usual = endpoint.port == USUAL_PORTS.get(endpoint.scheme)
            return f"{endpoint.scheme}://{host}" + ("" if usual else f":{endpoint.port}")
    return ""


def site(services: list[ServiceState], destination: Destination) -> str:
    """The address as a page; empty if no port is published."""
    found = address(services, destination)
    return f"{found}/" if found else ""


class Rounds:
    """Collects the lines of `Platform.watch` and gives `on_states` each round's states."""

    def __init__(
        self,
        platform: Platform,
        stack: str,
        where: str,
        on_states: Callable[[list[ServiceState]], bool],
    ) -> None:
        self._platform = platform
        self._stack = stack
        self._where = where
        self._on_states = on_states
        self._lines: list[str] = []
        self._last_answer = time.monotonic()

    def take(self, line: str) -> bool:
        """Whether enough was seen. Raises SpinstackError if no round was an answer for too long."""
        word, _, code = line.partition(" ")
        if word != "round":
            self._lines.append(line)
            return False
        text = "\n".join(self._lines)
        self._lines.clear()
        states = self._answer(text, code)
        if states is None:
            self._no_answer(text)
            return False
        self._last_answer = time.monotonic()
        return self._on_states(states)

    def _answer(self, text: str, code: str) -> list[ServiceState] | None:
        if code not in ("", "0"):
            return None
        try:
            return self._platform.read_states(text, self._stack)
        except Garbled:
            return None

    def _no_answer(self, text: str) -> None:
        seconds = time.monotonic() - self._last_answer
        if seconds >= SILENT_SECONDS:
            raise no_answer(self._platform, self._where, seconds, text)


def no_answer(platform: Platform, where: str, seconds: float, text: str) -> SpinstackError:
    """A platform that has not answered for so many seconds; `text`: what it printed last, if it
    printed anything."""
    said = "\n".join(platform.complaints(text, errors_only=True))
    known = platform.known(said)
    if known:
        error = SpinstackError(known[0], where=where, remedy=known[1], details=said)
        error.explained = True
        return error
    problem = "unexpected output" if text.strip() else "no answer"
    return SpinstackError(
        f"{problem} from {platform.program} for {seconds:.0f} s",
        where=where,
        remedy=f"try `{platform.look_by_hand}` on {where}; see the centre's status page",
        details=tail(text),
    )
