"""Finds resources by name, with the real client's side effect: it may create a stack."""

from __future__ import annotations

import re
from collections.abc import Sequence

from .api import BadResponse, Project, Resource
from .failure import Failure

_IDS = {
    "stack": re.compile(r"1(st|e)\d+"),
    "service": re.compile(r"1s\d+"),
    "container": re.compile(r"1i\d+"),
    "host": re.compile(r"1h\d+"),
    "secret": re.compile(r"1se\d+"),
    "volume": re.compile(r"1v\d+"),
}
_DEFAULT_STACK = "Default"


def lookup(project: Project, name: str, types: Sequence[str]) -> Resource:
    """The resource of the first type that has one of this name or id. Raises Failure.

    Looking for a service creates the stack before the slash if it is unknown; without a
    slash and without a service of that name it creates `Default`.
    """
    for type_ in types:
        found = _by_id(project, type_, name) or _by_name(project, type_, name)
        if found is not None:
            return found
    raise Failure(f"Not found: {name}")


def stack_of_name(project: Project, name: str) -> Resource | None:
    return next(iter(project.find("stack", name=name)), None)


def stack_or_new(project: Project, name: str) -> Resource:
    """The stack of that name, created if there is none."""
    return stack_of_name(project, name) or project.create("stack", {"name": name})


def containers_of(project: Project, service: Resource) -> list[Resource]:
    """The containers of a service, kept ones of an upgrade included."""
    return project.find("container", serviceId=service["id"])


def _by_id(project: Project, type_: str, name: str) -> Resource | None:
    pattern = _IDS.get(type_)
    if pattern is None or not pattern.fullmatch(name):
        return None
    try:
        found = project.get(type_, name)
    except BadResponse as problem:
        if problem.status == 404:
            return None
        raise
    return None if found.get("state") == "removed" else found


def _by_name(project: Project, type_: str, name: str) -> Resource | None:
    if type_ == "host":
        hosts = project.find("host")
        return next((h for h in hosts if name in (h.get("name"), h.get("hostname"))), None)
    if type_ not in _IDS:
        return None
    if "/" in name:
        return _service_of_stack(project, name) if type_ == "service" else None
    found = project.find(type_, name=name)
    found = [item for item in found if item.get("name", "").lower() == name.lower()]
    if len(found) > 1:
        ids = " ".join(item["id"] for item in found)
        raise Failure(f"Multiple resources of type {type_} found for name {name}: [{ids}]")
    if not found and type_ == "service":
        stack_or_new(project, _DEFAULT_STACK)
    return found[0] if found else None


def _service_of_stack(project: Project, name: str) -> Resource | None:
    stack_name, _, service = name.partition("/")
    stack = stack_or_new(project, stack_name or _DEFAULT_STACK)
    # A third part names a sidekick, which has the id of its service.
    wanted = service.partition("/")[0]
    found = project.find("service", stackId=stack["id"], name=wanted)
    return next((item for item in found if item.get("name", "").lower() == wanted.lower()), None)
