"""`rancher scale STACK/SERVICE=N`: does not wait; without `=N` it scales to 1."""

from __future__ import annotations

from .. import log
from ..failure import Failure
from ..flags import Parsed
from ..lookup import lookup
from ..session import Session


def run(session: Session, given: Parsed) -> int:
    """Raises Failure for a number that is none (before anything is scaled) or an unknown name."""
    wanted = [_parsed(word) for word in given.names]
    project, done = session.project, []
    for name, number in wanted:
        service = lookup(project, name, ("service",))
        # Before it is known whether that is refused.
        log.say(name)
        done.append(project.update(service, {"scale": number}))
    session.wait_if_asked(done)
    return 0


def _parsed(word: str) -> tuple[str, int]:
    name, equals, number = word.partition("=")
    if not equals:
        return name, 1
    if not number.isdecimal():
        raise Failure(f"Invalid format for scale: {word}, expected SERVICE=NUMBER")
    return name, int(number)
