"""Pages that are made when somebody asks: whole or not at all, and once for all who ask."""

from __future__ import annotations

import fcntl
import hashlib
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from nightwatch_web.failures import Broken, Unavailable

# Seconds that somebody waits for a page that somebody else is building.
PATIENCE = 120.0
# Seconds between two looks whether it is there.
PAUSE = 0.05
# Seconds after which a half-built page is taken for what a killed builder left behind.
ABANDONED = 3600.0
# As many locks as there can be builds side by side without one waiting for a stranger;
# a fixed number of them, so that they need not be removed.
LOCKS = 256
# What a page may be: read by all, replaced by the group that owns the tree.
MODE = 0o664


def build_once(target: Path, build: Callable[[Path], None], patience: float = PATIENCE) -> None:
    """Has `target` made by `build`, unless it is there already.

    `build` is given a temporary file in the same directory, which then gets the name of
    `target` in one step. Of many threads and processes that ask at the same time one builds,
    the others wait. Raises Unavailable (nowhere to write to, waited in vain) and Broken
    (nothing was written); what `build` raises goes through, and leaves nothing behind.
    """
    if target.exists():
        return
    with _locked(target, patience):
        if not target.exists():
            _build(target, build)


def _build(target: Path, build: Callable[[Path], None]) -> None:
    with _writable(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(target)
        handle, name = tempfile.mkstemp(".html", f".{target.name}-", target.parent)
        os.fchmod(handle, MODE)
        os.close(handle)
    unfinished = Path(name)
    try:
        build(unfinished)
        if not unfinished.is_file() or unfinished.stat().st_size == 0:
            raise Broken(f"Nightwatch has written nothing into {target.name}.")
        with _writable(target):
            _publish(unfinished, target)
    finally:
        unfinished.unlink(missing_ok=True)


def _publish(unfinished: Path, target: Path) -> None:
    """On the disk first, under its name then: not even a power cut shows half a page."""
    with unfinished.open("rb") as file:
        os.fsync(file.fileno())
    unfinished.replace(target)


def _remove_abandoned(target: Path) -> None:
    for leftover in target.parent.glob(f".{target.name}-*.html"):
        with suppress(OSError):
            if time.time() - leftover.stat().st_mtime > ABANDONED:
                leftover.unlink()


@contextmanager
def _writable(target: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise Unavailable(
            f"The page {target.name} is not there yet, and the directory of the static pages "
            f"can't be written to ({error.strerror})."
        ) from error


@contextmanager
def _locked(target: Path, patience: float) -> Iterator[None]:
    """Holds the lock for a page.

    It is released by the kernel when the process that holds it dies. Raises Unavailable
    when it can't be had for `patience` seconds.
    """
    handle = os.open(_lock_file(target), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        deadline = time.monotonic() + patience
        while not _try_lock(handle):
            if time.monotonic() > deadline:
                raise Unavailable(f"The page {target.name} is still being made.")
            time.sleep(PAUSE)
        yield
    finally:
        os.close(handle)


def _try_lock(handle: int) -> bool:
    # flock belongs to the open file, not to the process: it holds between threads too.
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _lock_file(target: Path) -> Path:
    """One file for each of `LOCKS` groups of pages, in the container's own /tmp: the global
    file systems do not promise locks."""
    try:
        directory = Path(tempfile.gettempdir(), f"nightwatch-locks-{os.getuid()}")
        directory.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise Unavailable(f"There is no temporary directory ({error.strerror}).") from error
    digest = hashlib.sha256(os.fsencode(target)).digest()
    return directory / f"{int.from_bytes(digest[:4], 'big') % LOCKS}.lock"
