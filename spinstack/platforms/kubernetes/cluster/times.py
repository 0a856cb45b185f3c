"""Moments as Kubernetes writes them."""

from __future__ import annotations

import re
from datetime import datetime, timezone

_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?Z")


def moment(written: str) -> datetime | None:
    """A moment in UTC; None for any other text."""
    if not _TIME.fullmatch(written):
        return None
    whole, _, part = written.rstrip("Z").partition(".")
    try:
        found = datetime.strptime(whole, "%Y-%m-%dT%H:%M:%S")
    except ValueError:
        return None
    return found.replace(microsecond=int(f"{part:0<6}"[:6]), tzinfo=timezone.utc)


def seconds(written: str) -> float | None:
    """The same, in seconds since 1970."""
    found = moment(written)
    return found.timestamp() if found else None


def micro(when: datetime) -> str:
    """As a MicroTime, which has exactly six digits."""
    return when.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
