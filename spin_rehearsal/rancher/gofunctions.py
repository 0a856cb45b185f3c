"""The functions that a Go template may call here: Go's own, and the client's `json`."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from typing import Any

from .govalue import json_text, shown, true


def _index(value: Any, *keys: Any) -> Any:
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else value[int(key)]
    return value


def _printf(form: str, *values: Any) -> str:
    return form.replace("%v", "%s") % tuple(
        shown(value) if not isinstance(value, int) else value for value in values
    )


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "and": lambda *values: reduce(lambda a, b: b if true(a) else a, values),
    "or": lambda *values: reduce(lambda a, b: a if true(a) else b, values),
    "not": lambda value: not true(value),
    "eq": lambda first, *others: any(first == other for other in others),
    "ne": lambda a, b: a != b,
    "lt": lambda a, b: a < b,
    "le": lambda a, b: a <= b,
    "gt": lambda a, b: a > b,
    "ge": lambda a, b: a >= b,
    "len": lambda value: len(value),
    "index": _index,
    "print": lambda *values: " ".join(shown(value) for value in values),
    "printf": _printf,
    "json": lambda value: json_text(value, indent=2),
    "split": lambda text, separator: str(text).split(separator),
    "join": lambda values, separator: separator.join(shown(value) for value in values),
    "upper": lambda text: str(text).upper(),
    "lower": lambda text: str(text).lower(),
    "title": lambda text: str(text).title(),
}
