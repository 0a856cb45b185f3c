"""Whether a rehearsal is running: its supervisor holds a lock, so a stale id can't mislead."""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import suppress
from io import TextIOWrapper

from spin_rehearsal.paths import Places
from spinstack.errors import SpinstackError

_LOCK_TRIES, _LOCK_WAIT = 20, 0.05  # seconds


def supervisor_pid(where: Places) -> int | None:
    """The process id of the running supervisor, None if it does not run."""
    try:
        with where.lock.open("r+") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                text = lock.read().strip()
                return int(text) if text.isdecimal() else None
            return None
    except FileNotFoundError:
        return None


def become_supervisor(where: Places) -> TextIOWrapper:
    """Take the lock, to be held open as long as this process lives.

    Raises SpinstackError if another process has it.
    """
    lock = where.lock.open("a+")
    for _ in range(_LOCK_TRIES):  # who asks whether we run holds it for a moment
        with suppress(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        time.sleep(_LOCK_WAIT)
    else:
        lock.close()
        raise SpinstackError("this rehearsal is already running", where=str(where.private))
    lock.truncate(0)
    lock.write(f"{os.getpid()}\n")
    lock.flush()
    return lock
