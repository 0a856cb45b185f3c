"""Whether the mounted code can be imported, as the workers found when they started.

A file in the container's own /tmp: every worker imports for itself, and another one may be
asked about it, or none of them (`nightwatch_web.workers`).
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

# What is noted until the first import has ended.
PENDING = "pending"


def problem() -> str | None:
    """Why nightwatch can't be imported, such as `ModuleNotFoundError: No module named 'pandas'`.

    Empty if it can, PENDING while that is being tried, None if nobody has tried.
    """
    try:
        return _place().read_text("utf-8")
    except OSError:
        return None


def note(problem: str) -> None:
    """Writes down what `problem` is to answer; in one step, since others read it."""
    unfinished = _place().with_suffix(f".{os.getpid()}")
    try:
        unfinished.write_text(problem, "utf-8")
        unfinished.replace(_place())
    except OSError as error:  # pages that can't be made say so themselves
        print(f"Can't note whether nightwatch was imported: {error}", file=sys.stderr, flush=True)


def _place() -> Path:
    return Path(tempfile.gettempdir(), f"nightwatch-import-{os.getuid()}")
