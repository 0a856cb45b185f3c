"""Services exactly as their platform has them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from spinstack.errors import SpinstackError
from spinstack.operate.control import chosen
from spinstack.operate.selection import check_name, service_names
from spinstack.platforms.client import StackClient
from spinstack.remote.access import connected

if TYPE_CHECKING:
    from spinstack.session import Session


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
        found = there.inspect(names)
    if not session.dry:
        session.console.json(found[service] if service else found)
