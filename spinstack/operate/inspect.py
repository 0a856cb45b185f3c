"""Services exactly as their platform has them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from spinstack.errors import SpinstackError
from spinstack.operate.control import chosen
from spinstack.operate.selection import check_name, service_names
from spinstack.platforms.client import StackClient
from spinstack.remote.access import connected

if TYPE_CHECKING:
    from spinstack.session import Session


def inspect(there: StackClient, names: Sequence[str]) -> dict[str, dict[str, Any]]:
    """The platform's own resource of each service. Ask only about services that exist: for others
    a platform may create something.

    Raises SpinstackError if the answer is not JSON.
    """
    platform = there.platform
    steps = [platform.inspect(there.stack, name) for name in names]
    result = there.run(*steps, seconds=platform.quick * len(steps) + 60)
    if there.node.dry:
        return {}
    found = {}
    for name, step in zip(names, steps, strict=True):
        told = platform.read_inspect(result.output(step.name))
        if told is None:
            done = result[step.name]
            raise there.failure(done, f"{platform.title} does not show {name}")
        found[name] = told
    return found


def must_run(there: StackClient, names: Sequence[str]) -> None:
    """Raises SpinstackError if there is nothing to look at."""
    if not names and not there.node.dry:
        raise SpinstackError(
            f"{there.stack} is not running", where=there.where, remedy="run `invoke deploy`"
        )


def show(session: Session, service: str) -> None:
    """Print everything the platform knows about a service, or about all by name, as JSON."""
    check_name(session, service)
    with connected(session) as there:
        names = [state.name for state in chosen(there.states(), service, there.stack)]
        if session.dry:
            names = [service] if service else service_names(session)
        must_run(there, names)
        found = inspect(there, names)
    if not session.dry:
        session.console.json(found[service] if service else found)
