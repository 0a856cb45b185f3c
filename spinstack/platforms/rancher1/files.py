"""What a deploy sends, readable: the compose file with its variables filled in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import yaml

from spinstack.config import compose, env_file
from spinstack.config.settings import Destination
from spinstack.config.stack import COMPUTED_THERE, Stack

if TYPE_CHECKING:
    from spinstack.config.compose import ComposeFile


def rendered(stack: Stack, destination: Destination) -> str:
    """The env file of a release and the compose file as Rancher will understand it.

    What is only known on the login node (UID) stays a variable.
    """
    values = stack.variables(destination)
    kept = {name: f"${{{name}}}" for name in COMPUTED_THERE}
    filled = compose.interpolate(stack.compose.data, {**values, **kept})
    parts = [
        f"# {stack.env_name} at {destination.name}",
        env_file.text(values).rstrip(),
        f"# {stack.compose.source}",
        yaml.safe_dump(filled, sort_keys=False, width=100).rstrip(),
    ]
    if stack.rancher:
        parts.append(f"# {stack.rancher.source}")
        parts.append(yaml.safe_dump(stack.rancher.data, sort_keys=False, width=100).rstrip())
    return "\n".join(parts)


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
