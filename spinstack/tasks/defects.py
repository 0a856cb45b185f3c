"""Failures that no code expected: a disk of this machine that is full, or a bug of ours."""

from __future__ import annotations

import errno
import shutil
import tempfile
import traceback
from contextlib import suppress
from pathlib import Path

from spinstack.errors import SpinstackError

_FULL = (errno.ENOSPC, errno.EDQUOT)
# With less than this, a disk is full for any file that we write; bytes.
_LITTLE = 1 << 20


def explained(error: Exception) -> SpinstackError:
    """The error for a person."""
    if isinstance(error, OSError) and error.errno in _FULL:
        return SpinstackError(
            f"a disk of this machine is full: {error.strerror}",
            where=str(error.filename or ", ".join(_full())),
            remedy="free some space there, then run the same command again",
        )
    frames = traceback.extract_tb(error.__traceback__)
    return SpinstackError(
        f"this is a bug in spinstack: {type(error).__name__}: {error}",
        where=f"{frames[-1].filename}:{frames[-1].lineno}" if frames else "",
        remedy="please report it, with what the same command shows as `invoke --debug …`",
    )


def _full() -> list[str]:
    """Which of the directories that we write to are full: an error while writing names no file."""
    found = []
    for directory in (Path.cwd(), Path.home(), _temporary()):
        with suppress(OSError):
            if shutil.disk_usage(directory).free < _LITTLE:
                found.append(str(directory))
    return list(dict.fromkeys(found))


def _temporary() -> Path:
    try:
        return Path(tempfile.gettempdir())
    except FileNotFoundError:  # none of the usual ones can be written to
        return Path("/tmp")
