"""Where only plain lines are wanted: a pipe, a file, a log.

Rich knows all the rules of colours and terminals, but takes longer to import than most tasks
take for their own work; a stream that is not a terminal needs no rules.
"""

from __future__ import annotations

import os
from typing import TextIO

# With these, people say that a stream understands terminal codes although it is not one.
_SAYING_OTHERWISE = ("FORCE_COLOR", "TTY_COMPATIBLE")


def is_plain(stream: TextIO) -> bool:
    """Whether a stream certainly gets plain lines. If not, rich decides."""
    return not stream.isatty() and not any(map(os.environ.get, _SAYING_OTHERWISE))


def can_move(stream: TextIO) -> bool:
    """Whether a stream is a terminal that can clear its screen."""
    return stream.isatty() and os.environ.get("TERM", "").lower() not in ("", "dumb", "unknown")
