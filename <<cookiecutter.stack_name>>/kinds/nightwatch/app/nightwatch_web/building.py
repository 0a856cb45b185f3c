"""Pages that are made when somebody asks and kept: whole or not at all, once for all who ask."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from nightwatch_web.failures import Broken, Unavailable
from nightwatch_web.turns import held

# Seconds that somebody waits here for a page that somebody else is building; whoever waits
# occupies a thread. nginx lets nobody through while it waits for the same page itself.
PATIENCE = 1.0
# Seconds after which a half-built page is taken for what a killed builder left behind.
ABANDONED = 3600.0
# What a page may be: read by all, replaced by the group that owns the tree.
MODE = 0o664


def build_once(target: Path, build: Callable[[Path], None], patience: float = PATIENCE) -> None:
    """Has `target` made by `build`, unless it is there already.

    `build` is given a temporary file in the same directory, which then gets the name of
    `target` in one step. Of many threads and processes that ask at the same time one builds,
    the others wait for `patience` seconds. Raises Busy (waited in vain), Unavailable (nowhere
    to write to) and Broken (nothing was written); what `build` raises goes through, and
    leaves nothing behind.
    """
    if target.exists():
        return
    with held(str(target), patience):
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
