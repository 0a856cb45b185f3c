"""`rancher wait`: the one command whose exit code reports a failed start."""

from __future__ import annotations

from .. import log, waiting
from ..flags import Parsed
from ..lookup import lookup
from ..session import Session

_TYPES = ("service", "container", "host", "stack")


def run(session: Session, given: Parsed) -> int:
    """Raises Failure for an unknown name, a failed start, or when the time is up."""
    project, found = session.project, []
    for name in given.names:
        found.append(lookup(project, name, _TYPES))
        log.say(name)
    waiting.wait_for(project, found, session.wait_state, session.wait_timeout)
    return 0
