"""Where nothing but plain lines is wanted: a pipe, a file, a log.

Rich knows all the rules of colours and terminals, but takes longer to import than most tasks
take for their own work; a stream that is no terminal needs no rules.
"""

from __future__ import annotations

import os
from typing import TextIO

# With these a person says that something that is no terminal understands one's signs.
_SAYING_OTHERWISE = ("FORCE_COLOR", "TTY_COMPATIBLE")


def is_plain(stream: TextIO) -> bool:
    """Whether a stream gets plain lines for certain. If not, rich decides."""
    return not stream.isatty() and not any(map(os.environ.get, _SAYING_OTHERWISE))


def can_move(stream: TextIO) -> bool:
    """Whether a stream is a terminal that can clear its screen."""
    return stream.isatty() and os.environ.get("TERM", "").lower() not in ("", "dumb", "unknown")
