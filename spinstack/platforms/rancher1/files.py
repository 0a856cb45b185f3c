"""What a deploy sends: its files, for people and for a release, and what they say."""

from __future__ import annotations

from dataclasses import replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from spinstack.config import env_file, goyaml, interpolation
from spinstack.config.settings import Destination
from spinstack.config.stack import COMPUTED_THERE, Stack, read_text
from spinstack.platforms import health_checks as described
from spinstack.platforms.base import HealthCheck
from spinstack.platforms.rancher1 import rancher_compose
from spinstack.platforms.rancher1.compose_keys import FILE

if TYPE_CHECKING:
    from spinstack.config.compose import ComposeFile

# Source: rancher 0.6.7, the default of `up --file`.
_COMPOSE = "docker-compose.yml"


def rendered(stack: Stack, destination: Destination) -> str:
    """The env file of a release and the compose file as Rancher will understand it.

    What only the login node knows (UID) stays a variable.
    """
    values = stack.variables(destination)
    known = {**values, **{name: f"${{{name}}}" for name in COMPUTED_THERE}}
    parts = [f"# {stack.env_name} at {destination.name}", env_file.text(values).rstrip()]
    for file in filter(None, (stack.compose, rancher_compose.effective(stack))):
        filled = interpolation.filled(file, known)
        parts.append(f"# {file.source}")
        parts.append(goyaml.dump(filled, width=100).rstrip() if filled else "")
    return "\n".join(parts)


def release_files(stack: Stack) -> dict[str, bytes]:
    """The rancher-compose.yml of a release, unless that of the stack's directory will do; and the
    compose file under the only name that Rancher's client looks for, without which `up` starts
    nothing and succeeds."""
    made = rancher_compose.text(stack)
    files = {FILE: made.encode()} if made else {}
    if PurePosixPath(stack.compose.source) != PurePosixPath(_COMPOSE):
        files[_COMPOSE] = read_text(stack.directory / stack.compose.source).encode()
    return files


def health_checks(stack: Stack) -> dict[str, HealthCheck] | None:
    """For each service from the stack's own files, or else from the setting `services`; None if
    a file can't be read."""
    own = stack.beside.get(FILE)
    if own and own.findings:
        return None
    # Of its two files, Rancher takes what the later one says.
    files = [file for file in (own, stack.compose) if file]
    found = described.from_settings(stack)
    for name, setting in found.items():
        written = (_health_check(file, name) for file in files)
        found[name] = next(filter(None, written), setting)
        if own and not found[name].port:
            where = own.where("services", name, "health_check")
            found[name] = replace(setting, where=where)
    return found


def _health_check(file: ComposeFile, name: str) -> HealthCheck | None:
    """That of a service in a file; None if the file has none."""
    service = file.services.get(name)
    check = service.get("health_check") if isinstance(service, dict) else None
    port = check.get("port") if isinstance(check, dict) else None
    if not isinstance(check, dict) or port is None:
        return None
    request = str(check.get("request_line") or "")
    return HealthCheck(str(port), request, file.where("services", name, "health_check", "port"))
