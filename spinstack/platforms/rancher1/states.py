"""States of services: from `ps`, as JSON for the laptop and as rows for a job there. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from spinstack.platforms.base import Endpoint, Garbled, Phase, ServiceState, TakenPort
from spinstack.platforms.rancher1.access import has_key
from spinstack.platforms.rancher1.commands import rancher
from spinstack.platforms.rancher1.output import REMOVED, is_garbled
from spinstack.transport.command import Command, Raw
from spinstack.transport.script import Step, json_objects

# Rancher's words for the states of a service; all others (activating, restarting, …) are
# transient.
PHASES = {
    "active": Phase.RUNNING,
    "inactive": Phase.STOPPED,
    "upgraded": Phase.UPGRADED,
    "upgrading": Phase.UPGRADING,
    "finishing-upgrade": Phase.CONFIRMING,
    "rolling-back": Phase.ROLLING_BACK,
    "removing": Phase.REMOVING,
    "registering": Phase.CREATING,
    "deactivating": Phase.STOPPING,
    "updating-active": Phase.SCALING,
}

# The fields of `rows.py`. A TAB between them would print nothing.
_FIELDS = (
    "{{.Name}}",
    "{{.Service.State}}",
    "{{.Service.HealthState}}",
    "{{.Service.Transitioning}}",
    "{{range .Service.PublicEndpoints}}{{.IpAddress}}:{{.Port}} {{end}}",
    "{{.Service.Fqdn}}",
    "{{.Service.TransitioningMessage}}",
)
ROW_FORMAT = "|".join(("row", *_FIELDS))


def rows() -> Command:
    """All services of the environment, even inactive ones, as rows; creates nothing."""
    return rancher("ps", "--all", "--format", ROW_FORMAT)


def states_if_key_step() -> Step:
    """The same for an account that may have no key yet."""
    return Step("states", (has_key(), rancher("ps", "--all", "--format", "json")), must=False)


def states_step(must: bool = True) -> Step:
    """All services of the environment, even inactive ones; creates nothing."""
    return Step("states", (rancher("ps", "--all", "--format", "json"),), must=must)


def watch_step(seconds: int) -> Step:
    """The states again and again, after each a line `round` with the exit code, for `seconds`."""
    loop = f"end=$((SECONDS + {int(seconds)})); while [ $SECONDS -lt $end ]; do"
    call = rancher("ps", "--all", "--format", "json").script()
    body = f'{call}; echo "round $?"; sleep 1'
    return Step("watch", (Command(Raw(f"{loop} {body}; done")),), must=False)


def parse(text: str, stack: str) -> list[ServiceState]:
    """The services of a stack from `ps --format json`: an object a line, other lines (log
    lines, warnings) are skipped; the CLI leaves out empty fields. Raises Garbled."""
    if is_garbled(text):
        raise Garbled(text)
    states = []
    for entry in json_objects(text):
        state = _state(entry)
        if state and state.stack == stack:
            states.append(state)
    return sorted(states, key=lambda state: state.name)


def _state(entry: dict[str, Any]) -> ServiceState | None:
    service = entry.get("Service")
    stack, _, name = str(entry.get("Name") or "").partition("/")
    # A sidekick's name has a second slash; its state is that of its service.
    if not isinstance(service, dict) or not name or "/" in name:
        return None
    config = service.get("launchConfig")
    image = config.get("imageUuid") if isinstance(config, dict) else ""
    points = service.get("publicEndpoints")
    word = str(service.get("state") or entry.get("CombinedState") or "")
    if word in REMOVED:
        return None
    return ServiceState(
        stack=stack,
        name=name,
        state=word,
        phase=PHASES.get(word, Phase.OTHER),
        health=str(service.get("healthState") or ""),
        transitioning=str(service.get("transitioning") or "no"),
        message=str(service.get("transitioningMessage") or ""),
        image=str(image or "").removeprefix("docker:"),
        scale=_number(service.get("scale")),
        current=_number(service.get("currentScale")),
        fqdn=str(service.get("fqdn") or ""),
        endpoints=tuple(
            Endpoint(str(point.get("ipAddress") or ""), _number(point.get("port")))
            for point in (points if isinstance(points, list) else [])
            if isinstance(point, dict)
        ),
        created=str(service.get("created") or ""),
    )


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0


def taken_ports(states: str) -> Iterator[TakenPort]:
    """Every published port of every stack, from `ps --all --format json`."""
    for entry in json_objects(states):
        stack, _, service = str(entry.get("Name") or "").partition("/")
        found = entry.get("Service")
        if not isinstance(found, dict) or found.get("state") in REMOVED:
            continue
        config = found.get("launchConfig")
        ports = config.get("ports") if isinstance(config, dict) else None
        for text in ports if isinstance(ports, list) else []:
            outside, colon, _ = str(text).partition(":")
            if colon:
                yield TakenPort(outside, stack, service)
