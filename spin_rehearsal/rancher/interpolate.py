"""`$NAME` and `${NAME}` in the values of a compose file; `$$` is a dollar."""

from __future__ import annotations

import re
from typing import Any

from . import log
from .failure import Failure
from .variables import Variables

_REFERENCE = re.compile(
    r"\$(?:(?P<dollar>\$)|(?P<bare>[A-Za-z_][A-Za-z0-9_]*)|\{(?P<braced>[A-Za-z0-9_]+)\}|(?P<bad>))"
)


class InvalidFormat(ValueError):
    """A dollar that begins neither `$$` nor a plain variable: `${A:-b}` is none."""


def interpolate_text(text: str, variables: Variables) -> str:
    """The text with its variables filled in.

    One that is not set becomes nothing, with a warning. Raises InvalidFormat.
    """

    def value(match: re.Match[str]) -> str:
        if match["dollar"]:
            return "$"
        name = match["bare"] or match["braced"]
        if not name:
            raise InvalidFormat(text)
        found = variables.get(name)
        if found is None:
            log.warning(f"The {name} variable is not set. Substituting a blank string.")
        return found or ""

    return _REFERENCE.sub(value, text)


def interpolate_entry(key: str, value: Any, variables: Variables) -> Any:
    """The value of a key, with every text inside it interpolated; keys stay as they are.

    Raises Failure naming the key.
    """
    if isinstance(value, str):
        try:
            return interpolate_text(value, variables)
        except InvalidFormat:
            raise Failure(f'Invalid interpolation format for key "{key}": "{value}"') from None
    if isinstance(value, dict):
        return {name: interpolate_entry(key, item, variables) for name, item in value.items()}
    if isinstance(value, list):
        return [interpolate_entry(key, item, variables) for item in value]
    return value
