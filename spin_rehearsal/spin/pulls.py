"""Pulls of images, each in its own thread and shared by all who wait for the same."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future


class Pulls:
    """Runs at most one pull of an image at a time."""

    def __init__(self, pull: Callable[[str], None]) -> None:
        self._pull = pull
        self._lock = threading.Lock()
        self._running: dict[str, Future[None]] = {}

    def begin(self, image: str) -> Future[None]:
        """The pull of an image that is going on, or a new one. Its result is nothing, or
        the exception of the failure."""
        with self._lock:
            future = self._running.get(image)
            if future is None:
                future = self._running[image] = Future()
                # A daemon: a pull that hangs must not keep the rehearsal from stopping.
                threading.Thread(target=self._work, args=(image, future), daemon=True).start()
            return future

    def _work(self, image: str, future: Future[None]) -> None:
        error: BaseException | None = None
        try:
            self._pull(image)
        except BaseException as raised:
            # Whatever it was, those who wait must hear of it.
            error = raised
        with self._lock:
            del self._running[image]
        if error is None:
            future.set_result(None)
        else:
            future.set_exception(error)
