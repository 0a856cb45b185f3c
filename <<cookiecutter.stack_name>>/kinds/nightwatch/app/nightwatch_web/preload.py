"""Imports nightwatch before anybody asks for a page; its libraries are imported by then."""

from __future__ import annotations

import sys
import threading
import time

from nightwatch_web import mounted, plots
from nightwatch_web.failures import Unavailable

# Seconds after which a failed import is tried again, since mounted code changes.
AGAIN = 60.0
# Characters of a reason; numpy tells whole stories.
LONGEST = 300


def in_background() -> None:
    """Starts it and returns: the process answers meanwhile. For each process, after its fork."""
    if mounted.problem() is None:
        mounted.note(mounted.PENDING)
    threading.Thread(target=_load_at_last, name="preload", daemon=True).start()


def _load_at_last() -> None:
    while not load():
        time.sleep(AGAIN)


def load() -> bool:
    """Imports now; whether that worked. A failure is logged, unless another worker has done so, and
    whoever asks for a page that needs the code tries again."""
    before, now = mounted.problem(), ""
    try:
        plots.load()
    except Unavailable as error:
        now = " ".join(f"{type(error.__cause__).__name__}: {error.__cause__}".split())[:LONGEST]
        if now != before:
            print(f"Nothing is imported ahead of time: {error}", file=sys.stderr, flush=True)
    mounted.note(now)
    return not now
