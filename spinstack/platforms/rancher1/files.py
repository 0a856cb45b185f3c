"""What a deploy sends, for people: the compose file with its variables filled in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spinstack.config import env_file, goyaml, interpolation
from spinstack.config.settings import Destination
from spinstack.config.stack import COMPUTED_THERE, Stack
from spinstack.platforms.base import HealthCheck
from spinstack.platforms.rancher1 import compose_keys

if TYPE_CHECKING:
    from spinstack.config.compose import ComposeFile


def rendered(stack: Stack, destination: Destination) -> str:
    """The env file of a release and the compose file as Rancher will understand it.

    What only the login node knows (UID) stays a variable.
    """
    values = stack.variables(destination)
    known = {**values, **{name: f"${{{name}}}" for name in COMPUTED_THERE}}
    parts = [f"# {stack.env_name} at {destination.name}", env_file.text(values).rstrip()]
    for file in (stack.compose, *stack.beside.values()):
        filled = interpolation.filled(file, known)
        parts.append(f"# {file.source}")
        parts.append(goyaml.dump(filled, width=100).rstrip() if filled else "")
    return "\n".join(parts)


def health_checks(stack: Stack) -> dict[str, HealthCheck] | None:
    """From rancher-compose.yml; None if there is none that can be read."""
    file = stack.beside.get(compose_keys.FILE)
    if file is None or file.findings:
        return None
    return {name: _health_check(file, name) for name in stack.service_names}


def _health_check(file: ComposeFile, name: str) -> HealthCheck:
    service = file.services.get(name)
    check = service.get("health_check") if isinstance(service, dict) else None
    told = check if isinstance(check, dict) else {}
    port = told.get("port")
    return HealthCheck(
        port="" if port is None else str(port),
        request=str(told.get("request_line") or ""),
        where=file.where("services", name, "health_check", "port"),
    )
