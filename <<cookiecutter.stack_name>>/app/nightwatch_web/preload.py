"""Imports nightwatch before anybody asks for a page; its libraries are imported by then."""

from __future__ import annotations

import sys
import threading

from nightwatch_web import plots
from nightwatch_web.failures import Unavailable


def in_background() -> None:
    """Starts it and returns: the process answers meanwhile. For each process, after its fork."""
    threading.Thread(target=load, name="preload", daemon=True).start()


def load() -> None:
    """Imports now. A mount that is missing is told in the log, and tried again by whoever asks
    for a page that needs it."""
    try:
        plots.load()
    except Unavailable as error:
        print(f"Nothing is imported ahead of time: {error}", file=sys.stderr, flush=True)
