"""One cluster for all the processes of a test session."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from io import TextIOWrapper

from . import place, start
from .cluster import Cluster, running
from .place import Place


@contextmanager
def shared(name: str) -> Iterator[Cluster]:
    """The cluster `name`: who comes first starts it, who goes last stops it. Should all die, its
    keeper stops it."""
    with _coming_or_going():
        at = place.find(name)
        if at is None or start.is_dead(at):
            at = start.start(name).place
        used = _use(at)
    try:
        yield running(at)
    finally:
        with _coming_or_going(), used:
            if _is_last(used):
                start.stop(at)


def _use(at: Place) -> TextIOWrapper:
    """A lock on the cluster's file of users. It comes into being with the first."""
    first = at.users.with_suffix(".new")
    used = (at.users if at.users.exists() else first).open("a")
    fcntl.flock(used, fcntl.LOCK_SH)
    if not at.users.exists():
        first.rename(at.users)
    return used


def _is_last(used: TextIOWrapper) -> bool:
    try:
        fcntl.flock(used, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def _coming_or_going() -> Iterator[None]:
    place.make_root()
    with (place.ROOT / ".users.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
