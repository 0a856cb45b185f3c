"""`rancher inspect`: a resource as the server has it, on one line of JSON or by a template."""

from __future__ import annotations

from typing import Any

from .. import log
from ..api import Resource
from ..failure import Failure
from ..flags import Parsed
from ..gotemplate import TemplateError, render
from ..govalue import json_text
from ..lookup import lookup
from ..session import Session

_TYPES = ("service", "container", "host", "stack")
_LEFT_OUT = ("links", "actions")


def run(session: Session, given: Parsed) -> int:
    """Exit code 0 even for what is unknown: that is a line `error NAME: ...` on stdout."""
    if not given.names:
        return 0
    project = session.project
    for name in given.names:
        try:
            found = lookup(project, name, given.options["type"] or _TYPES)
        except Failure as problem:
            log.say(f"error {name}: {problem}")
            continue
        _show(found, given)
    return 0


def _show(resource: Resource, given: Parsed) -> None:
    form = given.options["format"]
    if not given.options["links"]:
        resource = {key: item for key, item in resource.items() if key not in _LEFT_OUT}
    if form == "json":
        log.say(json_text(resource))
    elif "\t" not in form:  # with a real TAB the real client prints nothing at all
        try:
            log.say(render(form, _floats(resource)))
        except TemplateError as problem:
            raise Failure(str(problem)) from None


def _floats(value: Any) -> Any:
    """The value with all numbers as floats, as Go reads JSON into a map."""
    if isinstance(value, dict):
        return {key: _floats(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_floats(item) for item in value]
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value
