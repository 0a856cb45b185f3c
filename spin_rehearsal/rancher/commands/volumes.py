"""`rancher volumes`: lists, makes and removes volumes."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from .. import log
from ..failure import Failure
from ..flags import Parsed
from ..lookup import lookup
from ..session import Session
from .listing import listed, show

_COLUMNS = {
    "ID": "id",
    "NAME": "name",
    "STATE": "state",
    "DRIVER": "driver",
    "DETAIL": "transitioningMessage",
}


def run(session: Session, given: Parsed) -> int:
    """Any word that is no command lists them."""
    word, *rest = given.names or ["ls"]
    if word == "create":
        return _create(session, rest, given)
    if word == "rm":
        return _remove(session, rest)
    found = listed(session.project.find("volume"), given.options)
    show("Volume", found, _COLUMNS, given.options)
    return 0


def _create(session: Session, words: Sequence[str], given: Parsed) -> int:
    if not words:
        sys.stderr.write("Volume name is required as the first argument\n")
        return 1
    options = dict(option.partition("=")[::2] for option in given.options["opt"])
    body = {"name": words[0], "driver": given.options["driver"], "driverOpts": options}
    log.say(session.project.create("volume", body)["id"])
    return 0


def _remove(session: Session, names: Sequence[str]) -> int:
    """Goes on after a failure, and ends with the last one."""
    last: Failure | None = None
    for name in names:
        try:
            found = lookup(session.project, name, ("volume",))
            session.project.remove(found)
        except Failure as problem:
            log.error(f"Failed to delete {name}: {problem}")
            last = problem
            continue
        log.say(found["id"])
    if last is not None:
        raise last
    return 0
