"""`rancher up`: reads the compose files and brings the stack's services up."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from .. import composefile, log
from ..api import Project, Resource
from ..composefile import Source
from ..envfile import read_env_file
from ..failure import Failure
from ..flags import Parsed
from ..launchconfig import Wanted, wanted_services
from ..lookup import stack_of_name
from ..reconcile import Bringup
from ..session import Session
from ..variables import Variables
from .logs import show_logs

# Seconds between two looks for new containers while following the logs.
_LOOK_AGAIN = 1.0


class _Files(NamedTuple):
    """What the files say: their texts after templates, the services, the volumes."""

    sources: list[Source]
    wanted: dict[str, Wanted]
    volumes: dict[str, Any]


def run(session: Session, given: Parsed) -> int:
    """Returns 0 also when a service failed to start: only the waiting ends then."""
    options = given.options
    try:
        variables = Variables(read_env_file(options["env-file"]) if options["env-file"] else {})
        session.ask_project()
        project = session.ask_project()  # the real client chooses, and asks, twice
        sources, name = _sources(options)
        stack = _stack(project, name, options["description"])
    except Failure as problem:
        raise Failure(f"Failed to read project: {problem}") from None
    files = _read(sources, name, variables)
    if options["render"]:
        for source in files.sources:
            log.say(source.text)
        return 0
    services = _bring_up(project, stack, files, given)
    if not options["d"]:
        _follow(project, stack)
    _wait(session, services)
    return 0


def _sources(options: Mapping[str, Any]) -> tuple[list[Source], str]:
    paths = composefile.compose_paths(options["file"])
    name = composefile.stack_name(options["stack"], paths[0])
    return composefile.read_sources(paths, options["rancher-file"]), name


def _stack(project: Project, name: str, description: str) -> Resource:
    found = stack_of_name(project, name)
    if found is not None:
        return found
    log.info(f"Creating stack {name}")
    return project.create("stack", {"name": name, "description": description})


def _read(sources: Sequence[Source], stack: str, variables: Variables) -> _Files:
    """Raises Failure, after the same words at level error."""
    try:
        evaluated = [composefile.evaluate(source, stack, variables) for source in sources]
        compose = composefile.read(evaluated, variables)
        wanted = wanted_services(compose.services, variables)
        return _Files(evaluated, wanted, compose.volumes)
    except Failure as problem:
        log.error(f"Could not parse config for project {stack} : {problem}")
        raise Failure(f"Failed to read project: {problem}") from None


def _bring_up(project: Project, stack: Resource, files: _Files, given: Parsed) -> list[Resource]:
    for name in given.names:
        if name not in files.wanted:
            raise Failure(f"No such service: {name}")
    _create_volumes(project, stack, files.volumes)
    bringup = Bringup(project, stack, given.options)
    if given.options["prune"]:
        bringup.prune(files.wanted)
    chosen = given.names or list(files.wanted)
    return bringup.run(files.wanted[name] for name in dict.fromkeys(chosen))


def _create_volumes(project: Project, stack: Resource, volumes: Mapping[str, Any]) -> None:
    if not volumes:
        return
    present = {item["name"] for item in project.find("volumeTemplate", stackId=stack["id"])}
    for name, volume in volumes.items():
        settings = volume if isinstance(volume, dict) else {}
        if settings.get("external"):
            continue
        if name in present:
            log.info(f"Existing volume template found for {name}")
            continue
        log.info(f"Creating volume template {name}")
        body = {"name": name, "stackId": stack["id"], "driver": settings.get("driver") or "local"}
        project.create("volumeTemplate", body)


def _follow(project: Project, stack: Resource) -> None:
    """Print the logs of the stack's containers, those to come too; never returns."""
    import threading

    query = {"tail": "100", "follow": "true", "since": "", "timestamps": "false"}
    seen: set[str] = set()
    while True:
        ids = {item["id"] for item in project.find("service", stackId=stack["id"])}
        for container in project.find("container"):
            if container["id"] not in seen and ids & set(container.get("serviceIds") or []):
                seen.add(container["id"])
                threading.Thread(
                    target=show_logs, args=(project, [container], query, True), daemon=True
                ).start()
        time.sleep(_LOOK_AGAIN)


def _wait(session: Session, services: Sequence[Resource]) -> None:
    """The global `--wait`; what comes of it is thrown away, as the real client does."""
    try:
        session.wait_if_asked(services)
    except Failure:
        return
