"""Services exactly as Rancher has them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from spinstack.errors import SpinstackError
from spinstack.operate.control import chosen
from spinstack.operate.selection import check_name, rancher, service_names
from spinstack.platforms import base
from spinstack.platforms.client import StackClient
from spinstack.platforms.rancher1 import commands
from spinstack.platforms.rancher1.inspect import resource
from spinstack.transport.script import Step

if TYPE_CHECKING:
    from spinstack.session import Session


def inspect(there: StackClient, names: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Rancher's own resource of each service. Ask only about services that `ps` lists: for
    others the CLI creates a stack, prints an error and exits 0.

    Raises SpinstackError for an answer that is no JSON.
    """
    steps = [
        Step(f"inspect {name}", (commands.rancher("inspect", f"{there.stack}/{name}"),), must=False)
        for name in names
    ]
    result = there.run(*steps, seconds=base.QUICK * len(steps) + 60)
    if there.node.dry:
        return {}
    found = {}
    for name, step in zip(names, steps, strict=True):
        told = resource(result.output(step.name))
        if told is None:
            done = result[step.name]
            raise there.failure(done, f"Rancher does not tell what it has of {name}")
        found[name] = told
    return found


def must_run(there: StackClient, names: Sequence[str]) -> None:
    """Raises SpinstackError where there is nothing to look at."""
    if not names and not there.node.dry:
        raise SpinstackError(
            f"{there.stack} does not run", where=there.where, remedy="invoke deploy"
        )


def show(session: Session, service: str) -> None:
    """Print all that Rancher knows of a service, or of all by their names, as JSON."""
    check_name(session, service)
    with rancher(session) as there:
        names = [state.name for state in chosen(there.states(), service, there.stack)]
        if session.dry:
            names = [service] if service else service_names(session)
        must_run(there, names)
        found = inspect(there, names)
    if not session.dry:
        session.console.json(found[service] if service else found)
