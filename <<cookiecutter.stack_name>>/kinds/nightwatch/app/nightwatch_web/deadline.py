"""Ends requests that take longer than `harakiri` in app.ini.

uWSGI's own clock is one for each worker, and each request that a worker's other threads begin or
finish starts it anew (core/reader.c, core/utils.c of uWSGI 2.0): with a health check every two
seconds it never rings. So a process beside the workers (`mule` in app.ini) looks at each request
by itself, and kills the worker whose request is overdue: that works even if it is stuck in a
library. nginx asks once more for what was lost with it; for the request that was overdue the
application then answers at once that it takes too long.
"""

from __future__ import annotations

import mmap
import os
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from nightwatch_web import ended, workers

# Seconds between two looks.
PAUSE = 0.5
# So many seconds before uWSGI's clock, which counts whole ones, may ring: what it ends is
# remembered by nobody, and begun again.
AHEAD = 3

WSGI = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class Clocks:
    """Since when each thread of each worker runs the application, in memory that is shared by the
    processes forked from this one. uWSGI itself tells when a request came, in whole seconds, and
    also of those that only wait until a stuck library lets them run."""

    def __init__(self, processes: int, threads: int) -> None:
        self._threads = threads
        self._begun = memoryview(mmap.mmap(-1, 8 * processes * threads)).cast("d")

    def begun(self, worker: int, core: int) -> float:
        """When it began, as `time.monotonic` counts for all processes of a machine; 0 for a thread
        that does not run it. `worker` and `core`: uWSGI's numbers, from 1 and from 0."""
        return self._begun[(worker - 1) * self._threads + core]

    def set(self, worker: int, core: int, begun: float) -> None:
        self._begun[(worker - 1) * self._threads + core] = begun

    def clear(self, worker: int) -> None:
        """For a worker that begins: one that was killed before it has left its times."""
        for core in range(self._threads):
            self.set(worker, core, 0)

    def timed(self, application: WSGI, worker: Callable[[], int]) -> WSGI:
        """The application, timed. `worker`: says which one this process is."""

        def timed(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
            thread = worker(), environ["uwsgi.core"]
            self.set(*thread, time.monotonic())
            try:
                return application(environ, start_response)
            finally:
                self.set(*thread, 0)

        return timed


@dataclass(frozen=True)
class Overdue:
    """A request that has taken `seconds`; `address` as `ended.quoted` gives it."""

    pid: int
    worker: int
    method: str
    address: str
    seconds: int


def watch(clocks: Clocks, harakiri: Any) -> None:
    """Looks at the workers for as long as uWSGI runs. `harakiri`: the option as uWSGI has it, a
    list if it was given twice; 0 for no limit."""
    limit = int(harakiri[-1] if isinstance(harakiri, list) else harakiri)
    killed: set[int] = set()
    while True:
        time.sleep(PAUSE)
        try:
            stats = workers.read()
        except (OSError, ValueError):
            continue  # uWSGI is starting, or about to stop
        late = [request for request in overdue(stats, clocks, time.monotonic(), limit) if limit]
        for request in late:
            if request.pid not in killed:
                _tell(request, limit)
        # Only now: nginx asks again as soon as a worker is gone.
        for pid in {request.pid for request in late} - killed:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        # Until uWSGI has seen that they are gone.
        killed = {request.pid for request in late}


def overdue(stats: Mapping[str, Any], clocks: Clocks, now: float, limit: int) -> Iterator[Overdue]:
    """Requests that have taken `limit` seconds or will have in a moment. `stats`: uWSGI's own
    statistics; `now`: as `Clocks` counts."""
    for worker in stats["workers"]:
        for core in worker["cores"]:
            begun = clocks.begun(worker["id"], core["id"])
            if core["in_request"] and 0 < begun <= now - max(limit - AHEAD, limit / 2):
                told = dict(line.partition("=")[::2] for line in core["vars"])
                method, path = told.get("REQUEST_METHOD", "?"), told.get("PATH_INFO", "")
                address, seconds = ended.quoted(path), int(now - begun)
                yield Overdue(worker["pid"], worker["id"], method, address, seconds)


def _tell(request: Overdue, limit: int) -> None:
    with suppress(OSError):  # /tmp is full: it is ended all the same, and may be begun again
        ended.remember(request.address)
    print(
        f"HARAKIRI: {request.method} {request.address} was ended at {request.seconds} s, just "
        f"before the {limit} s that harakiri in app.ini allows. "
        f"Worker {request.worker} (pid {request.pid}) is killed and replaced.",
        file=sys.stderr,
        flush=True,
    )
