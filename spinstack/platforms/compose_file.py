"""What is wrong with a compose file whichever platform reads it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from spinstack.config import compose_keys
from spinstack.config.compose import ComposeFile
from spinstack.rules.finding import Finding
from spinstack.rules.service_rules import OWN_USER


def services(file: ComposeFile) -> Iterator[Finding]:
    """Whether its services are a mapping."""
    services = file.data.get("services")
    if services is not None and not isinstance(services, dict):
        remedy = "write the name of each service below it, with a colon, such as app:"
        yield Finding("compose-type", file.where("services"), "services: is not a mapping", remedy)


def keys(file: ComposeFile) -> Iterator[tuple[str, str, Any]]:
    """Service, key and value of every key of a service."""
    for name, service in file.services.items():
        for key, value in service.items() if isinstance(service, dict) else ():
            yield name, key, value


def once(found: Iterable[tuple[str, Finding]]) -> Iterator[Finding]:
    """Of findings with their keys, one for each place in the file, however many services merge
    it."""
    seen = set()
    for key, finding in found:
        place = (finding.where, finding.rule, key)
        if place not in seen:
            seen.add(place)
            yield finding


def twice(file: ComposeFile) -> Iterator[Finding]:
    """Keys that are written a second time."""
    for key, first, later in file.twice:
        problem = f"duplicate key {key} (first in line {first}); the later one wins"
        yield Finding("yaml-twice", f"{file.source}:{later}", problem, "keep one of the two")


def of_type(file: ComposeFile, name: str, key: str, value: Any) -> Iterator[Finding]:
    """Whether a known key has a value of its type."""
    wanted = compose_keys.wanted(key, value)
    if wanted:
        # A variable may be a password.
        shown = "" if key in ("environment", "labels") else f": {value!r}"
        problem = f"{key} of {name} has a value of the wrong type{shown}"
        if value is None:
            problem = f"{key} of {name} has no value"
        remedy = f"{key} must be {wanted}{_as_list(key, value)}"
        if key == "user":
            # A number in quotes alone would lack the group.
            remedy = OWN_USER
        yield Finding("compose-type", file.where("services", name, key), problem, remedy)


def _as_list(key: str, value: Any) -> str:
    """How a single value is written as the list that the key needs; empty for any other."""
    single = isinstance(value, str) and compose_keys.TYPES[key][-1] in ("strings", "scalars")
    return f": {key}: ['{value}']" if single and "'" not in value else ""


def texts(file: ComposeFile, title: str) -> Iterator[tuple[str, Finding]]:
    """Keys and values that YAML takes for something else than text, each with its key. `title`: of
    the platform."""
    for path, written in file.no_text.items():
        if path[0] == "services":
            kind = _read_as(path[-1])
            problem = f"the key {written} is read as {kind}, and {title} takes only text"
            remedy = f"quote it: '{written}'"
            yield written, Finding("compose-key", file.where(*path), problem, remedy)
    for path, kind in file.changed.items():
        # Without the value, which may be a password.
        problem = f"{title} reads the value of {path[-1]} as a {kind} and passes it on changed"
        remedy = "quote the value"
        yield path[-1], Finding("compose-text", file.where(*path), problem, remedy, "warning")


def _read_as(key: str) -> str:
    return {"True": "true", "False": "false", "None": "null"}.get(key, f"the number {key}")
