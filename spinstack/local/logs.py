"""The logs of the services on this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spinstack.errors import SpinstackError, UsageError
from spinstack.images import compose_program
from spinstack.local import stack
from spinstack.local.stack import LocalStack
from spinstack.operate import visits

if TYPE_CHECKING:
    from spinstack.session import Session

# Seconds that compose may take for logs that are not followed.
WITHIN = 60.0


def show(session: Session, service: str, *, tail: int, follow: bool) -> None:
    """The last lines of one service, or of all; with `follow` until Ctrl-C.

    Raises UsageError for an unknown service, SpinstackError if nothing runs.
    """
    here = LocalStack(session)
    _must_be_known(here, service)
    stack.needs_to_run(here)
    words = ["logs", "--tail", str(tail), *(["--follow"] if follow else [])]
    words += here.program.plain_logs
    words += [service] if service else []

    def take(line: str) -> None:
        if not compose_program.is_chatter(line):
            label, bar, text = line.partition(" | ")
            text = visits.shown(text) if bar else line
            session.console.verbatim(text, label + bar if bar else "", "cyan")

    limit = None if follow else WITHIN
    try:
        result = here.compose(*words, timeout=limit, on_line=take, changes=False)
    except KeyboardInterrupt:
        return
    if not result.ok:
        raise SpinstackError(
            "compose could not show the logs", where=here.project, remedy="see the reason above"
        )


def _must_be_known(here: LocalStack, service: str) -> None:
    names = here.session.stack.service_names
    if service and service not in names:
        raise UsageError(
            f"the stack has no service {service!r}", remedy=f"use one of {', '.join(names)}"
        )
