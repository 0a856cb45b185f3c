"""Shared by the tasks for a running stack: which services are meant, and how to give a result."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from spinstack.config import compose, stack
from spinstack.errors import SpinstackError, UsageError
from spinstack.platforms.base import ServiceState

if TYPE_CHECKING:
    from spinstack.session import Session


def service_names(session: Session) -> list[str]:
    """The services in the compose file; none if that is broken just now, which must not keep
    anybody from operating what is running."""
    try:
        name = session.settings.compose_file
        return list(compose.parse(stack.read_text(session.directory / name), name).services)
    except SpinstackError:
        return []


def check_name(session: Session, service: str) -> None:
    """Raises UsageError for a typo before anybody has to log in.

    A name quite unlike those in the compose file may be a service that was removed from it.
    """
    names = service_names(session) if service else []
    if service in names or not names:
        return
    near = difflib.get_close_matches(service, names, 1, 0.5)
    if near or session.dry:
        hint = f"did you mean {near[0]}? " if near else ""
        raise UsageError(
            f"the stack has no service {service!r}",
            where=session.settings.compose_file,
            remedy=f"{hint}The services are {', '.join(names)}",
        )


def one_service(session: Session, service: str) -> str:
    """The service that is meant, where exactly one is needed. Raises UsageError."""
    names = service_names(session)
    if not service and len(names) == 1:
        return names[0]
    if not service:
        raise UsageError("which service?", remedy=f"add --service, one of {', '.join(names)}")
    check_name(session, service)
    return service


def named(session: Session, service: str) -> str:
    """`stack` or `stack/service`, for questions and messages."""
    stack = session.settings.stack
    return f"{stack}/{service}" if service else stack


def done(
    session: Session, action: str, states: Sequence[ServiceState], json: bool, text: str
) -> None:
    """Give the result of a command: a line for a person, or the new states for a script."""
    if session.dry:
        return
    if json:
        services = [{**asdict(state), "shown": state.shown} for state in states]
        stack, destination = session.settings.stack, session.destination.name
        session.console.json(
            {"stack": stack, "destination": destination, "action": action, "services": services}
        )
    else:
        session.console.result(text)
