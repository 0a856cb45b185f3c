"""`--format` of lists: `json` is one object a line, anything else a template for each line."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .. import log
from ..failure import Failure
from ..gotemplate import TemplateError, render
from ..govalue import Struct, json_text


def print_formatted(form: str, items: Iterable[Any]) -> None:
    """Print each item. Raises Failure for a template that asks for what is not there."""
    for item in items:
        if form == "json":
            log.say(json_text(_without_empty(item)))
            continue
        try:
            log.say(render(form, item))
        except TemplateError as problem:
            raise Failure(str(problem)) from None


def _without_empty(value: Any) -> Any:
    """The value without fields that are empty, 0 or false, as Go's `omitempty` leaves them out."""
    if isinstance(value, Struct):
        named = {_json_name(value, key): item for key, item in value.values.items()}
        return _without_empty(named)
    if isinstance(value, dict):
        made = {key: _without_empty(item) for key, item in value.items()}
        return {key: item for key, item in made.items() if item}
    return [_without_empty(item) for item in value] if isinstance(value, list) else value


def _json_name(value: Struct, key: str) -> str:
    # The rows of `ps` keep their Go names; the server's resources begin with a small letter.
    return key[:1].lower() + key[1:] if value.type_name.startswith("client.") else key
