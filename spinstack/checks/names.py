"""Names: of the stack, its images, its secrets and its volumes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from spinstack.config.interpolation import interpolate
from spinstack.config.settings import Destination, Settings
from spinstack.config.stack import Stack
from spinstack.rules import names
from spinstack.rules.finding import Finding
from spinstack.rules.service import Mount


def findings(settings: Settings, stack: Stack, destination: Destination) -> list[Finding]:
    """Names in the settings and in the compose file."""
    found = names.stack_name(stack.name, destination.centre, "invoke.yaml, spinstack.stack")
    for image in settings.images:
        where = f"invoke.yaml, spinstack.images.{image.key}.name"
        found += names.image_name(image.name, destination.centre, where)
    if not destination.centre.names_shared:
        return found
    values = stack.variables(destination)
    for name, where in _secrets(stack, values):
        found += names.secret_name(name, stack.name, stack.service_names, where)
    for name, where in _volumes(stack, values):
        found += names.volume_name(name, stack.name, stack.service_names, where)
    return found


def _secrets(stack: Stack, values: dict[str, str]) -> Iterator[tuple[str, str]]:
    """Each secret's name with file and line: those of the file and those of its services."""
    yield from _section(stack, "secrets")
    declared = {name for name, _ in _section(stack, "secrets")}
    for service, written in stack.compose.services.items():
        secrets = written.get("secrets") if isinstance(written, dict) else None
        for index, item in enumerate(secrets if isinstance(secrets, list) else []):
            name = item.get("source") if isinstance(item, dict) else item
            filled = interpolate(name, values)
            if isinstance(filled, str) and filled not in declared:
                yield filled, stack.compose.where("services", service, "secrets", str(index))


def _volumes(stack: Stack, values: dict[str, str]) -> Iterator[tuple[str, str]]:
    """Each named volume with file and line."""
    yield from _section(stack, "volumes")
    declared = {name for name, _ in _section(stack, "volumes")}
    for service, written in stack.compose.services.items():
        volumes = written.get("volumes") if isinstance(written, dict) else None
        for index, text in enumerate(volumes if isinstance(volumes, list) else []):
            source = _source(interpolate(text, values))
            if source and source[0] not in "/.~" and source not in declared:
                yield source, stack.compose.where("services", service, "volumes", str(index))


def _section(stack: Stack, key: str) -> Iterator[tuple[str, str]]:
    section = stack.compose.data.get(key)
    for name in section if isinstance(section, dict) else ():
        yield str(name), stack.compose.where(key, str(name))


def _source(text: Any) -> str:
    try:
        return Mount.parse(str(text)).source
    except ValueError:
        return ""
