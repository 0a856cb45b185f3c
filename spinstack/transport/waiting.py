"""Waiting for descriptors, whatever their numbers: `select` knows only those below 1,024."""

from __future__ import annotations

import selectors
from collections.abc import Iterable


def readable(descriptors: Iterable[int], seconds: float) -> list[int]:
    """Those that have something to read, or have ended, within so many seconds."""
    return _ready(descriptors, selectors.EVENT_READ, seconds)


def writable(descriptor: int, seconds: float) -> bool:
    """Whether it takes something within so many seconds."""
    return bool(_ready([descriptor], selectors.EVENT_WRITE, seconds))


def _ready(descriptors: Iterable[int], event: int, seconds: float) -> list[int]:
    with selectors.PollSelector() as waiting:
        for descriptor in descriptors:
            waiting.register(descriptor, event)
        return [key.fd for key, _ in waiting.select(seconds)]
