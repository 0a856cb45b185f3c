"""Waiting for services: judging their states round by round, and where the site is then."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spinstack.cattle import ServiceState
from spinstack.errors import SpinstackError

if TYPE_CHECKING:
    from spinstack.compose import ComposeFile
    from spinstack.settings import Destination

# Rounds of about a second that a service may be unhealthy before there is no more hope.
UNHEALTHY_ROUNDS = 3


class Watcher:
    """Judges the states of services, round by round."""

    def __init__(self, wanted: list[str]) -> None:
        self.states: list[ServiceState] = []
        self._wanted = wanted
        self._unhealthy = dict.fromkeys(wanted, 0)

    def take(self, states: list[ServiceState]) -> bool:
        """Whether there is nothing left to wait for, be it good or bad."""
        self.states = [state for state in states if state.name in self._wanted]
        for state in self.states:
            count = self._unhealthy[state.name]
            self._unhealthy[state.name] = count + 1 if state.health == "unhealthy" else 0
        return self.all_up or bool(self.hopeless)

    @property
    def all_up(self) -> bool:
        return {state.name for state in self.states if state.up} == set(self._wanted)

    @property
    def hopeless(self) -> list[ServiceState]:
        """Services that Rancher gave up on, or that stay unhealthy."""
        return [
            state
            for state in self.states
            if state.stuck or self._unhealthy[state.name] >= UNHEALTHY_ROUNDS
        ]

    @property
    def summary(self) -> str:
        seen = {state.name: _told(state) for state in self.states}
        return ", ".join(f"{name} {seen.get(name, 'missing')}" for name in self._wanted)

    def judge(self, limit: int, stack: str) -> None:
        """Raises ServicesFailed unless all is well."""
        if self.all_up:
            return
        bad = self.hopeless or [state for state in self.states if not state.up]
        names = [state.name for state in bad] or self._wanted
        reasons = list(dict.fromkeys(state.message for state in bad if state.message))
        what = f"did not get healthy within {limit} s"
        if self.hopeless:
            stuck = any(state.stuck for state in bad)
            what = "failed" if stuck else "failed the health check"
        raise ServicesFailed(
            f"{' and '.join(names)} {what}" + (f": {'; '.join(reasons)}" if reasons else ""),
            names,
            where=f"{stack}: {self.summary}",
        )


def _told(state: ServiceState) -> str:
    """In the middle of an upgrade its health is what people wait for."""
    return state.shown if state.health in ("", state.shown) else f"{state.state} ({state.health})"


def health_checks(rancher: ComposeFile | None, services: list[str]) -> list[str]:
    """What has to answer for each of the services to be healthy, a line each, as
    rancher-compose.yml says."""
    lines = []
    for name in services:
        service = rancher.services.get(name) if rancher else None
        check = service.get("health_check") if isinstance(service, dict) else None
        if rancher and isinstance(check, dict):
            asked = check.get("request_line") or "a connection"
            where = rancher.where("services", name, "health_check")
            lines.append(f"{name} is healthy if port {check.get('port')} answers {asked} ({where})")
    return lines


class ServicesFailed(SpinstackError):
    """Services that did not come up; `services` names them."""

    def __init__(self, what: str, services: list[str], *, where: str) -> None:
        super().__init__(what, where=where)
        self.services = services


class SiteFailed(ServicesFailed):
    """All services are up and the site does not answer as it should."""


def address(states: list[ServiceState], destination: Destination) -> str:
    """Where visitors find the site: `http://HOST:PORT`; empty if no port is published."""
    for state in states:
        for endpoint in state.endpoints:
            host = state.fqdn if destination.address == "fqdn" and state.fqdn else endpoint.ip
            return f"http://{host}:{endpoint.port}"
    return ""
