"""`rancher ps`: services, or containers, as a table, as JSON lines or through a template."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .. import log
from ..api import Project, Resource
from ..flags import Parsed
from ..lookup import containers_of, lookup
from ..session import Session
from ..table import table
from .formatting import print_formatted
from .listing import listed

_SERVICES = ("ID", "TYPE", "NAME", "IMAGE", "STATE", "SCALE", "SYSTEM", "ENDPOINTS", "DETAIL")
_CONTAINERS = ("ID", "NAME", "IMAGE", "STATE", "HOST", "IP", "DOCKER", "DETAIL")
_DOCKER_ID_LENGTH = 12


def run(session: Session, given: Parsed) -> int:
    """Names are services, whose containers are listed; with -c, hosts."""
    project, options = session.project, given.options
    if options["containers"]:
        _show_containers(_containers(project, given), options)
    elif given.names:
        services = [lookup(project, name, ("service",)) for name in given.names]
        found = [item for service in services for item in containers_of(project, service)]
        _show_containers(found, options)
    else:
        _show_services(project, options)
    return 0


def combined_state(resource: Resource, at_work: str) -> str:
    """The healthState where the resource is at work and has one, else the state."""
    if resource.get("state") == at_work and resource.get("healthState"):
        return str(resource["healthState"])
    return str(resource.get("state") or "")


def _containers(project: Project, given: Parsed) -> list[Resource]:
    found = project.find("container")
    if given.names:
        hosts = [lookup(project, name, ("host",))["id"] for name in given.names]
        found = [container for container in found if container.get("hostId") in hosts]
    return listed(found, given.options)


def _show_services(project: Project, options: Mapping[str, Any]) -> None:
    services = listed(project.find("service"), options)
    if options["quiet"]:
        for service in services:
            log.say(service["id"])
        return
    stacks = {stack["id"]: stack for stack in project.find("stack")}
    if options["format"]:
        print_formatted(options["format"], [_service_row(item, stacks) for item in services])
        return
    rows = [row for service in services for row in _service_lines(service, stacks)]
    for line in table(_SERVICES, rows):
        log.say(line)


def _service_name(service: Resource, stacks: Mapping[str, Resource]) -> str:
    stack = stacks.get(str(service.get("stackId")), {})
    return f"{stack.get('name', '')}/{service['name']}"


def _service_row(service: Resource, stacks: Mapping[str, Resource]) -> Any:
    from ..gostruct import struct
    from ..govalue import Struct

    values = {
        "Service": struct("Service", service),
        "Name": _service_name(service, stacks),
        "LaunchConfig": struct("LaunchConfig", service.get("launchConfig") or {}),
        "Stack": struct("Stack", stacks.get(str(service.get("stackId")), {})),
        "CombinedState": combined_state(service, "active"),
        "ID": service["id"],
    }
    return Struct("cmd.PsData", frozenset(values), values)


def _service_lines(service: Resource, stacks: Mapping[str, Resource]) -> list[list[str]]:
    """A line for the service and one for each sidekick. ENDPOINTS stays empty, a known defect."""
    name = _service_name(service, stacks)
    scale = f"{len(service.get('instanceIds') or [])}/{service.get('scale') or 0}"
    rest = [
        combined_state(service, "active"),
        scale,
        "true" if service.get("system") else "false",
        "",
        str(service.get("transitioningMessage") or ""),
    ]
    lines = [[service["id"], str(service["type"]), name, _image(service["launchConfig"]), *rest]]
    for sidekick in service.get("secondaryLaunchConfigs") or []:
        full_name = f"{name}/{sidekick.get('name', '')}"
        lines.append([service["id"], "sidekick", full_name, _image(sidekick), *rest])
    return lines


def _image(holder: Resource) -> str:
    image = str(holder.get("imageUuid") or "")
    return image[len("docker:") :] if image.startswith("docker:") else image


def _show_containers(containers: Sequence[Resource], options: Mapping[str, Any]) -> None:
    if options["quiet"]:
        for container in containers:
            log.say(container["id"])
    elif options["format"]:
        print_formatted(options["format"], [_container_row(item) for item in containers])
    else:
        for line in table(_CONTAINERS, [_container_line(item) for item in containers]):
            log.say(line)


def _container_row(container: Resource) -> Any:
    from ..gostruct import struct
    from ..govalue import Struct

    values = {
        "Container": struct("Container", container),
        "CombinedState": combined_state(container, "running"),
        "DockerID": _docker_id(container),
        "ID": container["id"],
    }
    return Struct("cmd.PsContainerData", frozenset(values), values)


def _container_line(container: Resource) -> list[str]:
    return [
        container["id"],
        str(container.get("name") or ""),
        _image(container),
        combined_state(container, "running"),
        str(container.get("hostId") or ""),
        str(container.get("primaryIpAddress") or ""),
        _docker_id(container),
        str(container.get("transitioningMessage") or ""),
    ]


def _docker_id(container: Resource) -> str:
    return str(container.get("externalId") or "")[:_DOCKER_ID_LENGTH]
