"""Records changes in the history of a stack, at its destination.

A record costs one round trip on the connection that made the change. It is never the first use
of a connection: a change that failed at the login must not log in again to say so.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from spinstack.errors import SpinstackError
from spinstack.remote.history import place, record
from spinstack.remote.history.record import Record
from spinstack.transport.login_node import ConnectionLost
from spinstack.transport.script import StepResult

if TYPE_CHECKING:
    from spinstack.session import Session
    from spinstack.transport.login_node import LoginNode


def note(
    session: Session, node: LoginNode, doing: str, detail: str = "", outcome: str = record.DONE
) -> None:
    """Append what was done; only warn if that fails, since the change itself is made."""
    try:
        told = _append(session, node, doing, detail, outcome)
        if told.ok:
            return
        why = told.output.strip().rpartition("\n")[2]
    except SpinstackError as error:
        why = error.what
    history = place.of(session).name
    session.console.warn(f"could not record {doing} in the history, {history}: {why}")


def _append(session: Session, node: LoginNode, doing: str, detail: str, outcome: str) -> StepResult:
    made = Record(
        who=session.destination.user or record.WHO,
        host=socket.gethostname(),
        stack=session.settings.stack,
        destination=session.destination.name,
        doing=doing,
        outcome=outcome,
        release=record.RELEASE,
        detail=detail,
    )
    return place.of(session).append(node, made)


@contextmanager
def recorded(session: Session, node: LoginNode, doing: str, detail: str = "") -> Iterator[None]:
    """Record a change: `done` in the history, or `failed` with the error's first line, or `left
    open` after Ctrl-C. `detail`: what it is done to; empty for the whole stack."""
    try:
        yield
    except ConnectionLost:
        # There is no connection left to record it over.
        raise
    except (SpinstackError, KeyboardInterrupt) as error:
        known = isinstance(error, SpinstackError)
        why = error.what if isinstance(error, SpinstackError) else "stopped by Ctrl-C"
        told = f"{detail}: {why}" if detail else why
        # The failure itself is about to be shown, and must not be hidden by another one here.
        with suppress(SpinstackError):
            _append(session, node, doing, told, record.FAILED if known else record.LEFT_OPEN)
        raise
    note(session, node, doing, detail)
