"""What Rancher makes of the stack: its name and environment, its compose files as the CLI reads
them (version, keys, types)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from spinstack.config import goyaml
from spinstack.config.compose import ComposeFile
from spinstack.config.interpolation import interpolate
from spinstack.config.settings import Destination
from spinstack.config.stack import COMPUTED_THERE, SOME_UID, Stack
from spinstack.platforms.rancher1 import compose_keys
from spinstack.rules import names
from spinstack.rules.finding import Finding
from spinstack.rules.service_rules import OWN_USER


def findings(stack: Stack, destination: Destination) -> list[Finding]:
    """What Rancher or Spin's audit would refuse in the two files, or silently ignore."""
    where = f"invoke.yaml, destination {destination.name}, environment"
    found = names.environment(destination.environment, destination.centre, where)
    found += _directory(stack)
    if stack.compose.findings:
        return found
    found += _strangers(stack)
    values = {**dict.fromkeys(COMPUTED_THERE, SOME_UID), **stack.variables(destination)}
    for file in (stack.compose, *stack.beside.values()):
        # One with nothing in it is as good as none.
        if file.findings or not file.data:
            continue
        found += _version(file, destination.centre.compose_version)
        found += _sections(file)
        found += _twice(file)
        found += _services(file, destination)
        found += _repeated(file, values)
    return found


def _services(file: ComposeFile, destination: Destination) -> Iterator[Finding]:
    """What is wrong with the keys of services: once for each place, however many merge it."""
    services = file.data.get("services")
    if services is not None and not isinstance(services, dict):
        remedy = "write the name of each service below it, with a colon, such as app:"
        yield Finding("compose-type", file.where("services"), "services: is not a mapping", remedy)
    seen = set()
    for key, finding in _of_keys(file, destination):
        # One for each place in the file, however many services merge it.
        place = (finding.where, finding.rule, key)
        if place not in seen:
            seen.add(place)
            yield finding


def _of_keys(file: ComposeFile, destination: Destination) -> Iterator[tuple[str, Finding]]:
    """Each finding with its key."""
    for name, service in file.services.items():
        for key, value in service.items() if isinstance(service, dict) else ():
            for found in _key(file, name, key, value):
                yield key, found
            for found in _forbidden(file, name, key, value, destination):
                yield key, found
    for path, written in file.no_text.items():
        if path[0] == "services":
            problem = (
                f"the key {written} is read as {_read_as(path[-1])}, and Rancher takes only text"
            )
            remedy = f"quote it: '{written}'"
            yield written, Finding("compose-key", file.where(*path), problem, remedy)
    for path, kind in file.changed.items():
        # Without the value, which may be a password.
        problem = f"Rancher reads the value of {path[-1]} as a {kind} and passes it on changed"
        remedy = "quote the value"
        yield path[-1], Finding("compose-text", file.where(*path), problem, remedy, "warning")


def _read_as(key: str) -> str:
    return {"True": "true", "False": "false", "None": "null"}.get(key, f"the number {key}")


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
        if key not in compose_keys.TOP_LEVEL and not key.startswith("x-"):
            problem = f"Rancher silently ignores {key}:"
            remedy = f"use one of {', '.join(sorted(compose_keys.TOP_LEVEL))}, or remove it"
            yield Finding("compose-section", file.where(key), problem, remedy, "warning")


def _twice(file: ComposeFile) -> Iterator[Finding]:
    for key, first, later in file.twice:
        problem = f"duplicate key {key} (first in line {first}); the later one wins"
        yield Finding("yaml-twice", f"{file.source}:{later}", problem, "keep one of the two")


def _repeated(file: ComposeFile, values: Mapping[str, str]) -> Iterator[Finding]:
    """Items that stand in a list twice, at the latest once their variables are filled in."""
    for name, service in file.services.items():
        for key, value in service.items() if isinstance(service, dict) else ():
            if key not in compose_keys.TYPES:
                continue
            items = interpolate(value, values)
            for index, first in compose_keys.repeated(key, items):
                # A variable may be a password.
                shown = str(items[index]).partition("=")[0]
                at = file.where("services", name, key, str(first))
                problem = f"{key} of {name} has {shown} twice (first in {at})"
                where = file.where("services", name, key, str(index))
                yield Finding("compose-repeated", where, problem, "remove one of the two")


def _key(file: ComposeFile, name: str, key: str, value: Any) -> Iterator[Finding]:
    where = file.where("services", name, key)
    if key not in compose_keys.TYPES:
        problem = f"Rancher does not know the key {key!r} of the service {name}"
        yield Finding("compose-key", where, problem, compose_keys.nearest(key))
    elif wanted := compose_keys.wanted(key, value):
        # A variable may be a password.
        shown = "" if key in ("environment", "labels") else f": {value!r}"
        problem = f"{key} of {name} has a value of the wrong type{shown}"
        if value is None:
            problem = f"{key} of {name} has no value, which Rancher refuses"
        remedy = f"{key} must be {wanted}{_as_list(key, value)}"
        if key == "user":
            # A number in quotes alone would lack the group.
            remedy = OWN_USER
        yield Finding("compose-type", where, problem, remedy)


def _as_list(key: str, value: Any) -> str:
    """How a single value is written as the list that the key needs; empty for any other."""
    single = isinstance(value, str) and compose_keys.TYPES[key][-1] in ("strings", "scalars")
    return f": {key}: ['{value}']" if single and "'" not in value else ""


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
