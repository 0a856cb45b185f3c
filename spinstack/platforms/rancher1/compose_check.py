"""What Rancher makes of the stack: its name and environment, its compose files as the CLI reads
them (version, keys, types)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from spinstack.config import compose_keys as keys
from spinstack.config import goyaml
from spinstack.config.compose import ComposeFile
from spinstack.config.interpolation import interpolate
from spinstack.config.settings import Destination
from spinstack.config.stack import COMPUTED_THERE, SOME_UID, Stack
from spinstack.platforms import compose_file
from spinstack.platforms.rancher1 import compose_keys, rancher_compose
from spinstack.rules import names
from spinstack.rules.finding import Finding


def findings(stack: Stack, destination: Destination) -> list[Finding]:
    """What Rancher or Spin's audit would refuse in the two files, or silently ignore."""
    where = f"invoke.yaml, destination {destination.name}, environment"
    found = names.environment(destination.environment, destination.centre, where)
    found += _directory(stack)
    if stack.compose.findings:
        return found
    found += _strangers(stack)
    found += _without_effect(stack)
    values = {**dict.fromkeys(COMPUTED_THERE, SOME_UID), **stack.variables(destination)}
    for file in (stack.compose, *stack.beside.values()):
        # One with nothing in it is as good as none.
        if file.findings or not file.data:
            continue
        found += _version(file, destination.centre.compose_version)
        found += _sections(file)
        found += compose_file.twice(file)
        found += _services(file, destination)
        found += _repeated(file, values)
    return found


def _services(file: ComposeFile, destination: Destination) -> Iterator[Finding]:
    """What is wrong with the keys of services."""
    yield from compose_file.services(file)
    yield from compose_file.once(_of_keys(file, destination))


def _of_keys(file: ComposeFile, destination: Destination) -> Iterator[tuple[str, Finding]]:
    """Each finding with its key."""
    for name, key, value in compose_file.keys(file):
        for found in _key(file, name, key, value):
            yield key, found
        for found in _forbidden(file, name, key, value, destination):
            yield key, found
    yield from compose_file.texts(file, "Rancher")


def _directory(stack: Stack) -> Iterator[Finding]:
    if stack.directory.name != stack.name:
        problem = f"the directory {stack.directory.name} holds the stack {stack.name}"
        remedy = "give both the same name: rancher itself calls a stack after its directory"
        yield Finding("directory-name", "invoke.yaml, spinstack.stack", problem, remedy, "warning")


def _version(file: ComposeFile, wanted: str) -> list[Finding]:
    version = file.data.get("version")
    if version == wanted:
        return []
    problem = f"compose file version {version!r}"
    remedy = f"write version: '{wanted}' (Rancher 1 reads no other)"
    where = file.where("version") if "version" in file.data else f"{file.source}:1"
    return [Finding("compose-version", where, problem, remedy)]


def _sections(file: ComposeFile) -> Iterator[Finding]:
    for key in map(str, file.data):
        # In newer formats, x-… keys are for anchors and the like.
        # `name` says what Compose calls the stack on a laptop.
        if key not in {*compose_keys.TOP_LEVEL, "name"} and not key.startswith("x-"):
            problem = f"Rancher silently ignores {key}:"
            remedy = f"use one of {', '.join(sorted(compose_keys.TOP_LEVEL))}, or remove it"
            yield Finding("compose-section", file.where(key), problem, remedy, "warning")


def _repeated(file: ComposeFile, values: Mapping[str, str]) -> Iterator[Finding]:
    """Items that stand in a list twice, at the latest once their variables are filled in."""
    for name, service in file.services.items():
        for key, value in service.items() if isinstance(service, dict) else ():
            if key not in keys.TYPES:
                continue
            items = interpolate(value, values)
            for index, first in keys.repeated(key, items):
                # A variable may be a password.
                shown = str(items[index]).partition("=")[0]
                at = file.where("services", name, key, str(first))
                problem = f"{key} of {name} has {shown} twice (first in {at})"
                where = file.where("services", name, key, str(index))
                yield Finding("compose-repeated", where, problem, "remove one of the two")


def _key(file: ComposeFile, name: str, key: str, value: Any) -> Iterator[Finding]:
    if key in keys.TYPES:
        yield from compose_file.of_type(file, name, key, value)
        return
    problem = f"Rancher does not know the key {key!r} of the service {name}"
    remedy = keys.nearest(key, compose_keys.RENAMED)
    yield Finding("compose-key", file.where("services", name, key), problem, remedy)


def _forbidden(
    file: ComposeFile, name: str, key: str, value: Any, destination: Destination
) -> Iterator[Finding]:
    forbidden = destination.centre.forbidden_keys
    if key not in forbidden or value is None:
        return
    allowed = forbidden[key]
    if value in allowed or (value == [] and not allowed):
        return
    shown = value if isinstance(value, (list, dict)) else goyaml.shown(value)
    problem = f"Spin does not allow {key}: {shown} (service {name})"
    named = " or ".join(goyaml.shown(value) for value in allowed)
    remedy = f"write {key}: {named}" if allowed else "remove the key"
    where = file.where("services", name, key)
    yield Finding("compose-forbidden", where, problem, remedy)


def _without_effect(stack: Stack) -> Iterator[Finding]:
    """Settings of services that a file of the stack has, too."""
    for it in rancher_compose.twice(stack):
        problem = f"{it.key} of {it.service} is also a setting, which has no effect on Rancher"
        remedy = f"remove it here, or {it.setting} from invoke.yaml"
        where = it.file.where("services", it.service, it.key)
        yield Finding("service-twice", where, problem, remedy, "warning")


def _strangers(stack: Stack) -> Iterator[Finding]:
    """Services that are in rancher-compose.yml but not in the compose file."""
    for file in stack.beside.values():
        if file.findings:
            continue
        for name in file.services:
            if name in stack.compose.services:
                continue
            where = file.where("services", name)
            problem = f"no service {name} in {stack.compose.source}"
            yield Finding(
                "service-unknown", where, problem, "make the names of the two files agree"
            )
