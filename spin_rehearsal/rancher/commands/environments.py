"""`rancher environment`: lists the environments; needs none to be chosen."""

from __future__ import annotations

from .. import environment, log
from ..flags import Parsed
from ..session import Session
from ..table import table

_HEADINGS = ("ID", "NAME", "ORCHESTRATION", "STATE", "CREATED")


def run(session: Session, given: Parsed) -> int:
    found = environment.visible(session.server)
    if given.options["quiet"]:
        for project in found:
            log.say(project["id"])
        return 0
    if given.options["format"]:
        from .formatting import print_formatted

        print_formatted(given.options["format"], [{"Environment": item} for item in found])
        return 0
    keys = ("id", "name", "orchestration", "state", "created")
    rows = [[str(project.get(key) or "") for key in keys] for project in found]
    for line in table(_HEADINGS, rows):
        log.say(line)
    return 0
