"""Who may make what at present: one page by one asker, and not too many pages at a time.

Locks hold between the threads of all processes of the container, and the kernel releases
them when the process that holds them dies.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nightwatch_web.failures import Busy, Unavailable

# Seconds between two looks whether a lock is free.
PAUSE = 0.05
# As many locks as it takes for two pages to share one hardly ever; a fixed number of them,
# so that they need not be removed.
LOCKS = 4096


@contextmanager
def held(page: str, patience: float = 0.0) -> Iterator[None]:
    """Holds the lock for a page. Raises Busy when it can't be had for `patience` seconds."""
    digest = hashlib.sha256(os.fsencode(page)).digest()
    name = f"page-{int.from_bytes(digest[:4], 'big') % LOCKS}"
    deadline = time.monotonic() + patience
    while (handle := _try_lock(name)) is None:
        if time.monotonic() >= deadline:
            raise Busy("The page is being made; this takes up to a few minutes.")
        time.sleep(PAUSE)
    try:
        yield
    finally:
        os.close(handle)


@contextmanager
def slot(count: int) -> Iterator[None]:
    """Holds one of `count` slots. Raises Busy when all are taken."""
    for number in range(count):
        handle = _try_lock(f"slot-{number}")
        if handle is not None:
            break
    else:
        raise Busy(f"{count} other pages are being made; no more are made at a time.")
    try:
        yield
    finally:
        os.close(handle)


def _try_lock(name: str) -> int | None:
    """The open file that holds the lock, to be closed in the end; None if it is taken."""
    handle = os.open(_directory() / f"{name}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    # flock belongs to the open file, not to the process: it holds between threads too.
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        return None
    return handle


def _directory() -> Path:
    """In the container's own /tmp: the global file systems do not promise locks."""
    try:
        directory = Path(tempfile.gettempdir(), f"nightwatch-locks-{os.getuid()}")
        directory.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise Unavailable(f"There is no temporary directory ({error.strerror}).") from error
    return directory
