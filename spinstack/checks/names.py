"""Names: of the stack, its images, its secrets and its volumes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import yaml

from spinstack.config.interpolation import interpolate
from spinstack.config.settings import Destination, Settings
from spinstack.config.stack import Stack
from spinstack.rules import names
from spinstack.rules.finding import Finding
from spinstack.rules.service import Mount

# Where people put objects of their own for Kubernetes.
_OWN_OBJECTS = "kubernetes/**/*.y*ml"


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


def brought(stack: Stack, destination: Destination) -> dict[str, dict[str, str]]:
    """What containers need and no deploy makes, by its kind: each secret and external volume of a
    service, with file and line. Not what an object among the stack's files may make."""
    cluster = destination.kubernetes is not None
    own = _own_objects(stack) if cluster else set()
    values = stack.variables(destination)
    found = {
        "secret": {
            name: where
            for name, where in _used_secrets(stack, values)
            # A deploy to a cluster makes none of a file.
            if cluster or "file" not in _told(stack, "secrets", name)
        },
        "volume": {
            mount.source: service.where(f"volumes.{index}")
            for service in stack.services(destination)[0]
            for index, mount in enumerate(service.mounts)
            if mount.is_volume and _told(stack, "volumes", mount.source).get("external")
        },
    }
    return {kind: {n: at for n, at in all.items() if n not in own} for kind, all in found.items()}


def _own_objects(stack: Stack) -> set[str]:
    """Names of the objects that a person's own files make, and of what those make of themselves.
    What is wrong with a file is told by those who apply it."""
    found: set[str] = set()
    for path in stack.directory.glob(_OWN_OBJECTS):
        with suppress(OSError, ValueError, yaml.YAMLError):
            for one in yaml.load_all(path.read_bytes(), Loader=yaml.SafeLoader):
                found.update(_made_by(one))
    return found


def _made_by(one: Any) -> Iterator[str]:
    """`target`: of what an external store fills; a generator's secrets in a kustomization."""
    told = one if isinstance(one, dict) else {}
    spec = told.get("spec")
    makers = [told.get("metadata"), spec.get("target") if isinstance(spec, dict) else None]
    generated = told.get("secretGenerator")
    makers += generated if isinstance(generated, list) else []
    yield from (str(it["name"]) for it in makers if isinstance(it, dict) and "name" in it)


def absent(stack: Stack, to: Destination, listed: dict[str, set[str] | None]) -> Iterator[Finding]:
    """A finding for each of these that is not there. `listed`: the names that are, by kind; None
    if that is not known."""
    needed = brought(stack, to)
    gone = {}
    for kind, found in needed.items():
        there = listed.get(kind)
        gone[kind] = [name for name in found if there is not None and name not in there]
    for name in gone["secret"]:
        problem = f"there is no secret {name} at {to.name}, and its containers can't start"
        remedy = f"run `invoke secret.create {name} --to {to.name}`, with its value as input"
        yield Finding("secret-missing", needed["secret"][name], problem, remedy)
    for name in gone["volume"]:
        problem = f"there is no volume {name} at {to.name}, and its containers can't start"
        remedy = f"run `invoke volume.create {name} --to {to.name}`"
        yield Finding("volume-missing", needed["volume"][name], problem, remedy)


def _secrets(stack: Stack, values: dict[str, str]) -> Iterator[tuple[str, str]]:
    """Each secret's name with file and line: those of the file and those of its services."""
    yield from _section(stack, "secrets")
    declared = {name for name, _ in _section(stack, "secrets")}
    yield from (one for one in _used_secrets(stack, values) if one[0] not in declared)


def _used_secrets(stack: Stack, values: dict[str, str]) -> Iterator[tuple[str, str]]:
    """Those of the services."""
    for service, written in stack.compose.services.items():
        secrets = written.get("secrets") if isinstance(written, dict) else None
        for index, item in enumerate(secrets if isinstance(secrets, list) else []):
            name = item.get("source") if isinstance(item, dict) else item
            filled = interpolate(name, values)
            if isinstance(filled, str):
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


def _told(stack: Stack, key: str, name: str) -> dict[str, Any]:
    """What the file says of one in its section."""
    section = stack.compose.data.get(key)
    told = section.get(name) if isinstance(section, dict) else None
    return told if isinstance(told, dict) else {}


def _source(text: Any) -> str:
    try:
        return Mount.parse(str(text)).source
    except ValueError:
        return ""
