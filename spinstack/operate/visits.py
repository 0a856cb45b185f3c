"""Lines of the web server's log as a person reads them."""

from __future__ import annotations

import sys
from datetime import datetime
from typing import Any

from spinstack.text import harmless, read_json

# What web/ makes a line of (its `log_format site`); others are shown as they are.
_WANTED = ("time", "address", "request", "status", "bytes", "seconds")
_UNITS = ("B", "kB", "MB", "GB")


def shown(text: str) -> str:
    """A line for standard output: readable on a terminal, as it was written in a pipe or file."""
    return readable(text) if sys.stdout.isatty() else text


def readable(text: str) -> str:
    """`22:41:03  128.55.1.2  200  GET /nights.html  2.4 kB  3 ms` of a visit that was logged as
    JSON, with what app or a cache had to do with it; any other text as it is."""
    if not text.startswith("{"):
        return text
    try:
        entry = read_json(text)
    except ValueError:
        return text
    if not isinstance(entry, dict) or any(key not in entry for key in _WANTED):
        return text
    # Without the protocol, which is always the same.
    request = str(entry["request"]).removesuffix(" HTTP/1.1")
    parts = (
        _time(entry["time"]),
        str(entry["address"]),
        str(entry["status"]),
        request or "-",
        _size(entry["bytes"]),
        _span(entry["seconds"]),
        _from(entry),
    )
    return "  ".join(harmless(part) for part in parts if part)


def _time(value: Any) -> str:
    """In the time zone of whoever reads it."""
    try:
        return f"{datetime.fromisoformat(str(value)).astimezone():%H:%M:%S}"
    except ValueError:
        return str(value)


def _size(value: Any) -> str:
    if not isinstance(value, (int, float)):
        return str(value)
    size, unit = float(value), _UNITS[0]
    for unit in _UNITS:
        if size < 1000 or unit == _UNITS[-1]:
            break
        size /= 1000
    return f"{size:.0f} {unit}" if unit == "B" or size >= 10 else f"{size:.1f} {unit}"


def _span(value: Any) -> str:
    if not isinstance(value, (int, float)):
        return str(value)
    return f"{value:.1f} s" if value >= 1 else f"{value * 1000:.0f} ms"


def _from(entry: dict[str, Any]) -> str:
    """Where the answer came from, unless it is a file."""
    if entry.get("cache") == "HIT":
        return "kept"
    return "from app" if entry.get("app_seconds") else ""
