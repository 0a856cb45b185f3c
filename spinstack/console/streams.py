"""The standard streams, so that whatever is to be said can be written, or fails in one way.

A terminal may have another encoding than UTF-8; standard output may be closed (`>&-`), full, or a
pipe that nobody reads any more. Prepared once, for every task and for Invoke's own output.
"""

from __future__ import annotations

import atexit
import codecs
import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Literal, TextIO, cast

from spinstack.errors import SpinstackError

# What stands for characters that an encoding lacks; `?` for all others.
_IN_ASCII = {"→": "->", "…": "...", "✓": "+", "✗": "x"}
_HANDLER = "spinstack"
# Why a write to standard output fails.
FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF}


def prepare() -> None:
    """Let no character and no closed stream stop a task."""
    codecs.register_error(_HANDLER, _in_ascii)
    # In the order of their descriptors, since a new one gets the first that is free. Writing to
    # what was opened for reading fails, as on a full disk; nobody misses closed errors.
    sys.stdin = sys.stdin or _opened(0, os.O_RDONLY, "r")
    sys.stdout = sys.stdout or _opened(1, os.O_RDONLY, "w")
    sys.stderr = sys.stderr or _opened(2, os.O_WRONLY, "w")
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure:
            reconfigure(errors=_HANDLER)
    atexit.register(_end)


def _in_ascii(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end]
    return "".join(_IN_ASCII.get(char, "?") for char in lacking), error.end


def _opened(number: int, flags: int, mode: Literal["r", "w"]) -> TextIO:
    """Nothing under the number of a closed stream, which no other file then gets."""
    nothing = os.open(os.devnull, flags)
    if nothing != number:
        os.dup2(nothing, number)
        os.close(nothing)
    return cast(TextIO, os.fdopen(number, mode, encoding="utf-8", closefd=False))


@contextmanager
def needed() -> Iterator[None]:
    """While standard output is written. Raises SpinstackError if that fails, BrokenPipeError if
    nobody reads it any more; either way it is given up."""
    try:
        yield
    except BrokenPipeError:
        give_up(sys.stdout)
        raise
    except OSError as error:
        raise unwritable(error) from None


@contextmanager
def expendable() -> Iterator[None]:
    """While standard error is written: a full disk stops no work."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError:
        give_up(sys.stderr)


def unwritable(error: OSError) -> SpinstackError:
    """Standard output can't be written, and is given up."""
    give_up(sys.stdout)
    reason = "it is closed" if error.errno == errno.EBADF else error.strerror or error
    found = SpinstackError(
        f"can't write to standard output: {reason}",
        remedy="redirect it to a file that can be written, on a disk with space left",
    )
    found.explained = True
    return found


def give_up(stream: TextIO) -> None:
    """Write no more: what is still in its buffer can't be written either, and Python would say so
    when it ends."""
    with suppress(OSError, ValueError):
        number = stream.fileno()
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, number)
        os.close(nothing)


def _end() -> None:
    """What Invoke itself has printed, such as a list of tasks, may only be written now."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        give_up(sys.stdout)
    except OSError as error:
        found = unwritable(error)
        with expendable():
            print(found, file=sys.stderr, flush=True)
        # Too late for an exception.
        os._exit(found.exit_code)
