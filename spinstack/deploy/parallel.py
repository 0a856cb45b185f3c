"""Jobs in their own threads; the first failure stops the others."""

from __future__ import annotations

import threading
from collections.abc import Callable

from spinstack.errors import Stopped

Job = Callable[[], None]

# Seconds that jobs have to end once stopped. Their threads do not keep the process alive.
END_WITHIN = 15.0


class SideBySide:
    """Jobs that run in parallel, or, with `threads=False`, each as it is started: a dry run and
    a test need them in one fixed order."""

    def __init__(self, stop: Job, *, threads: bool = True) -> None:
        """`stop` makes running jobs fail soon; it is called once, from any thread."""
        self._stop = stop
        self._threads = threads
        self._changed = threading.Condition()
        self._running = 0
        self._failure: BaseException | None = None

    def start(self, job: Job) -> None:
        """Start a job; jobs may start others. After a failure no more are started."""
        with self._changed:
            if self._failure:
                return
            self._running += 1
        if self._threads:
            threading.Thread(target=self._run, args=(job,), daemon=True).start()
        else:
            self._run(job)

    def wait(self, *, linger: float = END_WITHIN) -> None:
        """Wait until all jobs have ended. Raises the first failure once the others have stopped
        or `linger` seconds have passed; `Stopped` if the jobs were given up."""
        with self._changed:
            self._changed.wait_for(lambda: self._failure or not self._running)
            if self._failure:
                self._changed.wait_for(lambda: not self._running, linger)
                raise self._failure

    def give_up(self, *, linger: float = END_WITHIN) -> None:
        """Stop the jobs, and wait at most `linger` seconds for them to end."""
        self._fail(Stopped("no longer needed"))
        with self._changed:
            self._changed.wait_for(lambda: not self._running, linger)

    def _run(self, job: Job) -> None:
        try:
            job()
        except BaseException as error:  # passed on to whoever waits, whatever it is
            self._fail(error)
        finally:
            with self._changed:
                self._running -= 1
                self._changed.notify_all()

    def _fail(self, error: BaseException) -> None:
        with self._changed:
            if self._failure:
                return
            self._failure = error
            self._changed.notify_all()
        self._stop()
