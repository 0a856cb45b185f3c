"""Sizes, shares and times: from how a compose file writes them to how Kubernetes does."""

from __future__ import annotations

import re
from typing import Any

# docker/go-units: powers of 1024, whatever the letters behind the first say.
_SIZE = re.compile(r"(\d+(?:\.\d+)?) ?([kmgtp]?)i?b?", re.IGNORECASE)
_POWERS = " kmgtp"
_BINARY = ((1024**3, "Gi"), (1024**2, "Mi"), (1024, "Ki"))
# Go's durations.
_DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)(?:\.\d+)?s)?")


def bytes_of(written: Any) -> int | None:
    """A number of bytes, or a size such as 512m; None for anything else and for nothing."""
    if isinstance(written, bool):
        return None
    match = _SIZE.fullmatch(f"{written:.0f}" if isinstance(written, float) else str(written))
    if not match:
        return None
    count = int(float(match[1]) * 1024 ** _POWERS.index(match[2].lower() or " "))
    return count or None


def memory(written: Any) -> str | None:
    """A size as Kubernetes writes it: `512Mi`."""
    count = bytes_of(written)
    return None if count is None else shown(count)


def shown(count: int) -> str:
    """Bytes in the largest unit that they are a whole number of."""
    for size, unit in _BINARY:
        if count % size == 0:
            return f"{count // size}{unit}"
    return str(count)


def number(written: Any) -> float | None:
    """A number above 0, also as text; None for anything else."""
    if isinstance(written, bool) or not re.fullmatch(r"\d+(\.\d+)?", str(written)):
        return None
    return float(written) or None


def cpu(cores: float) -> str:
    """Of a core: `500m`."""
    return f"{max(1, round(cores * 1000))}m"


def seconds(written: Any) -> int | None:
    """Of `10s`, `1m30s`, or a number; None for anything else."""
    text = str(written)
    if re.fullmatch(r"[0-9]{1,9}", text):
        return int(text)
    match = _DURATION.fullmatch(text)
    if not match or not text:
        return None
    hours, minutes, rest = (int(part or 0) for part in match.groups())
    return hours * 3600 + minutes * 60 + rest
