"""How Go prints values, and how its templates look into them."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

NO_VALUE = "<no value>"
# Go's %v writes a float with an exponent from this power of ten on.
_EXPONENT_FROM = 6


class NoField(Exception):
    """A template asked for a field that the value can't have."""


class Struct:
    """A value with fixed fields: in a template, a wrong name is an error.

    `names` are Go's names of all its fields; those not in `values` are empty strings.
    """

    def __init__(self, type_name: str, names: frozenset[str], values: dict[str, Any]) -> None:
        self.type_name = type_name
        self.names = names | values.keys()
        self.values = values

    def field(self, name: str) -> Any:
        if name not in self.names:
            raise NoField(f"can't evaluate field {name} in type {self.type_name}")
        return self.values.get(name, "")


def field(value: Any, name: str) -> Any:
    """The named field. Of a map that lacks it: None. Raises NoField where there can be none."""
    if isinstance(value, Struct):
        return value.field(name)
    if isinstance(value, dict):
        return value.get(name)
    if value is None:
        raise NoField(f"nil pointer evaluating interface {{}}.{name}")
    raise NoField(f"can't evaluate field {name} in type {type_name(value)}")


def type_name(value: Any) -> str:
    names = {bool: "bool", int: "int", float: "float64", str: "string", list: "[]interface {}"}
    return names.get(type(value), "interface {}")


def shown(value: Any) -> str:
    """The value as `%v` prints it; nothing at all is `<no value>`."""
    if value is None:
        return NO_VALUE
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return float_shown(value)
    if isinstance(value, (list, tuple)):
        return "[" + " ".join(_inner(item) for item in value) + "]"
    if isinstance(value, Struct):
        return "{" + " ".join(_inner(item) for item in value.values.values()) + "}"
    if isinstance(value, dict):
        return "map[" + " ".join(f"{k}:{_inner(v)}" for k, v in sorted(value.items())) + "]"
    return str(value)


def float_shown(value: float) -> str:
    """A float as `%v` prints it: the shortest digits that give it back, 1e+06 for a million."""
    if value == 0 or value != value or value in (float("inf"), float("-inf")):
        return f"{value:g}"
    sign, digits, exponent = Decimal(repr(value)).normalize().as_tuple()
    power = len(digits) - 1 + int(exponent)
    if -4 <= power < _EXPONENT_FROM:
        return f"{Decimal(repr(value)).normalize():f}"
    text = "".join(map(str, digits))
    mantissa = text[0] + (f".{text[1:]}" if text[1:] else "")
    return f"{'-' if sign else ''}{mantissa}e{power:+03d}"


def true(value: Any) -> bool:
    """Whether `if` takes the value for true: not false, 0, empty or nothing."""
    return bool(value)


def plain(value: Any) -> Any:
    """The value without structs, as JSON can hold it."""
    if isinstance(value, Struct):
        return {key: plain(item) for key, item in value.values.items()}
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, (list, tuple)) else value


def json_text(value: Any, indent: int | None = None) -> str:
    """JSON as Go writes it: map keys sorted, and `<`, `>`, `&` escaped."""
    separators = (",", ":") if indent is None else (",", ": ")
    text = json.dumps(
        plain(value), sort_keys=True, separators=separators, indent=indent, ensure_ascii=False
    )
    for char in "<>&":
        text = text.replace(char, f"\\u{ord(char):04x}")
    return text


def _inner(value: Any) -> str:
    return "<nil>" if value is None else shown(value)
