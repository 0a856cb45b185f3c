"""`rancher logs`: what containers wrote, each stream to its own; or a service's events."""

from __future__ import annotations

import sys
import threading
from collections.abc import Sequence

from .. import log
from ..api import Project, Resource
from ..failure import Failure
from ..flags import Parsed
from ..lookup import containers_of, lookup
from ..session import Session

_lock = threading.Lock()


def run(session: Session, given: Parsed) -> int:
    """Raises Failure for an unknown name; problems with one container are swallowed."""
    if not given.names:
        raise Failure("Please pass a container name")
    project = session.project
    if given.options["service"]:
        _show_events(project, given.names)
        return 0
    containers = [item for name in given.names for item in _containers(project, name)]
    query = {
        "tail": str(given.options["tail"]),
        "follow": "true" if given.options["follow"] else "false",
        "since": given.options["since"],
        "timestamps": "true" if given.options["timestamps"] else "false",
    }
    show_logs(project, containers, query, prefixed=len(containers) > 1)
    return 0


def show_logs(
    project: Project, containers: Sequence[Resource], query: dict[str, str], prefixed: bool
) -> None:
    """Print the logs of all containers side by side; returns when the last one ends."""
    threads = [
        threading.Thread(target=_show, args=(project, item, query, prefixed), daemon=True)
        for item in containers
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _containers(project: Project, name: str) -> list[Resource]:
    found = lookup(project, name, ("container", "service"))
    return containers_of(project, found) if found["type"] != "container" else [found]


def _show(project: Project, container: Resource, query: dict[str, str], prefixed: bool) -> None:
    prefix = f"{container['name']} | " if prefixed else ""
    try:
        for entry in project.logs(container["id"], **query):
            stream = sys.stderr if entry.get("stream") == "stderr" else sys.stdout
            with _lock:
                stream.write(prefix + str(entry.get("text", "")))
                stream.flush()
    except (Failure, OSError, ValueError):
        return  # swallowed, as the real client does


def _show_events(project: Project, names: Sequence[str]) -> None:
    for name in names:
        service = lookup(project, name, ("service",))
        for event in project.events(service["id"]):
            log.say(f"{event.get('time', '')} {event.get('text', '')}")
