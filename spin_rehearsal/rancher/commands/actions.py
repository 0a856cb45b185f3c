"""`rancher stop`, `start`, `restart`, `rm`: for each name, one action, without waiting."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .. import log
from ..api import Project, Resource
from ..failure import Failure
from ..flags import Parsed
from ..lookup import lookup
from ..session import Session

_ANY = ("service", "container", "stack")
_RESTARTED = ("service", "container")
_STOP = ("stop", "deactivate", "deactivateservices")
_START = ("start", "activate", "activateservices")
_RESTART = ("restart",)


class _MustStop(Failure):
    """A running container can't be removed."""


def stop(session: Session, given: Parsed) -> int:
    return _each(session, given, _ANY, lambda project, found: _act(project, found, _STOP))


def start(session: Session, given: Parsed) -> int:
    return _each(session, given, _ANY, lambda project, found: _act(project, found, _START))


def restart(session: Session, given: Parsed) -> int:
    strategy = {
        "batchSize": given.options["batch-size"],
        "intervalMillis": given.options["interval"],
    }
    body = {"rollingRestartStrategy": strategy}
    return _each(
        session, given, _RESTARTED, lambda project, found: _act(project, found, _RESTART, body)
    )


def remove(session: Session, given: Parsed) -> int:
    """With --stop, which prints the id too and is not waited for, the stop comes first."""
    code = stop(session, given) if given.options["stop"] else 0
    return _each(session, given, _ANY, _remove) or code


def _each(
    session: Session,
    given: Parsed,
    types: Sequence[str],
    act: Callable[[Project, Resource], None],
) -> int:
    """Do it for every name, going on after a failure. Returns 1 if any failed."""
    if not given.names:
        return 0
    project, code, done = session.project, 0, []
    for name in given.names:
        try:
            found = lookup(project, name, given.options["type"] or types)
        except Failure as problem:
            log.say(f"error {name}: {problem}")
            code = 1
            continue
        try:
            act(project, found)
            done.append(found)
        except _MustStop as problem:
            log.say(f"error: {problem}")
            code = 1
            continue
        except Failure as problem:
            log.say(f"error {found['id']}: {problem}")
            code = 1
        log.say(found["id"])
    session.wait_if_asked(done)
    return code


def _act(
    project: Project,
    found: Resource,
    actions: Sequence[str],
    body: Mapping[str, Any] | None = None,
) -> None:
    """The first of the actions that is available. Raises Failure if none is."""
    for action in actions:
        if action in (found.get("actions") or {}):
            project.act(found, action, body)
            return
    raise Failure(f"{'/'.join(actions)} not currently available on {found['type']} {found['id']}")


def _remove(project: Project, found: Resource) -> None:
    if found["type"] == "container" and "stop" in (found.get("actions") or {}):
        raise _MustStop(f"Must call stop on container {found['id']} before removing")
    project.remove(found)
