"""Which requests the time limit has ended (deadline.py), for a while: a file in the container's
own /tmp, with a line for each, its time and its address."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path
from urllib.parse import quote

# Seconds for which an address whose request was ended is not worked on again.
REMEMBERED = 60


def quoted(path: str) -> str:
    """A path as one word of ASCII. `path`: a character for each byte, as in WSGI."""
    return quote(path.encode("latin-1", "replace"))


def remember(address: str, now: float | None = None) -> None:
    """A request was ended. `address`: as `quoted` gives it; `now`: seconds since 1970."""
    now = time.time() if now is None else now
    with _record().open("a") as record:
        record.write(f"{now:.0f} {address}\n")


def lately(address: str, now: float | None = None) -> bool:
    """Whether a request for this address was ended in the last REMEMBERED seconds."""
    now = time.time() if now is None else now
    try:
        if now - _record().stat().st_mtime > REMEMBERED:
            return False
    except FileNotFoundError:
        return False
    told = (line.partition(" ") for line in _lines())
    return any(which == address and now - float(when) < REMEMBERED for when, _, which in told)


def count() -> int:
    """How many requests were ended since the container started."""
    return len(_lines())


def _lines() -> list[str]:
    try:
        return _record().read_text().splitlines()
    except FileNotFoundError:
        return []


def _record() -> Path:
    return Path(tempfile.gettempdir(), f"nightwatch-ended-{os.getuid()}")
