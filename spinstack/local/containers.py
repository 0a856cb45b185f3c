"""The containers of a local run, as the engine reports them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from spinstack.errors import SpinstackError
from spinstack.images.engine import Engine
from spinstack.text import read_json
from spinstack.transport.runner import Runner

# Seconds for a question to the engine.
LOOK_WITHIN = 60.0

# Labels that every compose program puts on its containers (docker compose 1.21 and newer,
# podman-compose).
PROJECT_LABEL = "com.docker.compose.project"
SERVICE_LABEL = "com.docker.compose.service"


@dataclass(frozen=True)
class Container:
    """`state`: running, exited, created…; `since`: when it got there (ISO 8601, UTC);
    `ports`: `127.0.0.1:60037->8080/tcp`."""

    service: str
    name: str
    state: str
    exit_code: int
    image: str
    since: str
    ports: tuple[str, ...] = ()

    @property
    def dead(self) -> bool:
        return self.state in ("exited", "dead")

    @property
    def unstarted(self) -> bool:
        """Created but not started; podman-compose calls that a success."""
        return self.state in ("created", "configured", "initialized")

    @property
    def shown(self) -> str:
        """The state in words."""
        return f"{self.state} with code {self.exit_code}" if self.dead else self.state


def of_project(runner: Runner, engine: Engine, project: str) -> list[Container]:
    """Those of a compose project, stopped ones too, sorted by service.

    Raises SpinstackError if the engine does not answer.
    """
    label = f"label={PROJECT_LABEL}={project}"
    listed = runner.run(
        engine.command("ps", "--all", "--quiet", "--filter", label),
        timeout=LOOK_WITHIN,
        changes=False,
    )
    if not listed.ok:
        raise _silent(engine, listed.stderr)
    ids = ["CONTAINER"] if runner.dry else listed.stdout.split()
    if not ids:
        return []
    told = runner.run(engine.command("inspect", *ids), timeout=LOOK_WITHIN, changes=False)
    try:
        # One that was removed meanwhile is missing from the output, and makes it fail.
        found = [_container(value) for value in read_json(told.stdout or "[]")]
    except (ValueError, KeyError, TypeError, AttributeError):
        raise _silent(engine, told.stderr or told.stdout[:400]) from None
    return sorted(found, key=lambda container: container.service)


def _silent(engine: Engine, said: str) -> SpinstackError:
    return SpinstackError(
        f"{engine.name} could not list the containers",
        where=f"{engine.name} ps",
        remedy="run `invoke doctor`",
        details=said,
    )


def _container(value: dict[str, Any]) -> Container:
    state, config = value["State"], value["Config"]
    status = str(state["Status"])
    ended = status in ("exited", "dead")
    return Container(
        service=(config.get("Labels") or {}).get(SERVICE_LABEL, ""),
        name=str(value["Name"]).lstrip("/"),
        state=status,
        exit_code=int(state.get("ExitCode") or 0),
        image=str(config.get("Image") or value.get("ImageName") or ""),
        since=str(state.get("FinishedAt" if ended else "StartedAt") or "")[:19] + "Z",
        ports=tuple(_ports((value.get("NetworkSettings") or {}).get("Ports") or {})),
    )


def _ports(bound: dict[str, Any]) -> Iterable[str]:
    for inside, places in sorted(bound.items()):
        for place in places or ():
            yield f"{place.get('HostIp') or '0.0.0.0'}:{place['HostPort']}->{inside}"


def address(containers: Iterable[Container]) -> str:
    """`http://127.0.0.1:60037` of the first published port; empty without one."""
    for container in containers:
        for port in container.ports:
            return f"http://{port.partition('->')[0]}"
    return ""
