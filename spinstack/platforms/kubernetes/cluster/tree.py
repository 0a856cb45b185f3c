"""Values in what kubectl prints as JSON, whatever shape it has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from spinstack.platforms.kubernetes import labels


def child(value: Any, *keys: str) -> Any:
    """What is below the keys; None if there is no such thing."""
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def text(value: Any, *keys: str) -> str:
    found = child(value, *keys)
    return found if isinstance(found, str) else ""


def number(value: Any, *keys: str, otherwise: int = 0) -> int:
    found = child(value, *keys)
    return found if isinstance(found, int) and not isinstance(found, bool) else otherwise


def items(value: Any, *keys: str) -> list[dict[str, Any]]:
    """The objects of a list."""
    found = child(value, *keys)
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def mapping(value: Any, *keys: str) -> dict[str, Any]:
    found = child(value, *keys)
    return found if isinstance(found, dict) else {}


def condition(value: Any, kind: str) -> dict[str, Any]:
    """A condition of an object's status; empty if it has none of the kind."""
    found = items(value, "status", "conditions")
    return next((one for one in found if one.get("type") == kind), {})


def named(value: Any) -> str:
    return text(value, "metadata", "name")


def label(value: Any, key: str) -> str:
    return text(value, "metadata", "labels", key)


def is_of(value: Mapping[str, Any], stack: str, service: str) -> bool:
    return (label(value, labels.PART_OF), label(value, labels.NAME)) == (stack, service)


def leaving(value: Any) -> bool:
    """Whether it is being removed."""
    return bool(child(value, "metadata", "deletionTimestamp"))
