"""Jobs in threads of their own, of which the first failure stops the others."""

from __future__ import annotations

import threading
from collections.abc import Callable

from spinstack.errors import Stopped

Job = Callable[[], None]

# Seconds that jobs have to end once they are stopped. Their threads do not keep the process.
END_WITHIN = 15.0


class SideBySide:
    """Jobs that run at the same time, or, with `threads=False`, each when it is started: a dry
    run and a test read what they do in one fixed order."""

    def __init__(self, stop: Job, *, threads: bool = True) -> None:
        """`stop` makes running jobs fail soon; it is called once, from any thread."""
        self._stop = stop
        self._threads = threads
        self._changed = threading.Condition()
        self._running = 0
        self._failure: BaseException | None = None

    def start(self, job: Job) -> None:
        """Begin a job; jobs may start others. After a failure none is begun any more."""
        with self._changed:
            if self._failure:
                return
            self._running += 1
        if self._threads:
            threading.Thread(target=self._run, args=(job,), daemon=True).start()
        else:
            self._run(job)

    def wait(self, *, linger: float = END_WITHIN) -> None:
        """Until all jobs have ended. Raises the first failure, when the others have stopped or
        `linger` seconds have passed; `Stopped` if the jobs were given up."""
        with self._changed:
            self._changed.wait_for(lambda: self._failure or not self._running)
            if self._failure:
                self._changed.wait_for(lambda: not self._running, linger)
                raise self._failure

    def give_up(self, *, linger: float = END_WITHIN) -> None:
        """Stop the jobs, and wait for them for at most so many seconds."""
        self._fail(Stopped("not wanted any more"))
        with self._changed:
            self._changed.wait_for(lambda: not self._running, linger)

    def _run(self, job: Job) -> None:
        try:
            job()
        except BaseException as error:  # handed on to whoever waits, whatever it is
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
