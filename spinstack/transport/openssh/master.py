"""The daily login: an OpenSSH master connection that outlives the command that opened it.

`ssh` itself logs in and asks, with the person's own configuration; every later command of any
stack opens its sessions on the master's socket (`mux.py`).
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shlex
import shutil
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from spinstack.errors import SpinstackError, UsageError
from spinstack.transport import waits
from spinstack.transport.openssh import ahead, login, mux, sockets

if TYPE_CHECKING:
    from spinstack.config.settings import Destination

# A working day: how long an unused login stays open, in hours.
PERSIST_HOURS = 10
# From 8.4 (2020-09) on, a program can be made to answer its prompts (SSH_ASKPASS_REQUIRE).
OLDEST = (8, 4)


@dataclass(frozen=True)
class Alive:
    """A master that responds: its process, and, in seconds since 1970, when it was opened and
    when it ends unless it is used before."""

    pid: int
    since: float
    until: float

    @property
    def left(self) -> float:
        """Seconds until it ends."""
        return max(0.0, self.until - time.time())


class Master:
    """The one login to a destination's host. `say` gets a line when ssh logs in."""

    def __init__(self, destination: Destination, say: Callable[[str], None] | None = None) -> None:
        self._destination = destination
        self._say = say or (lambda _: None)
        # A login that was begun.
        self._going: Generator[None, None, Alive] | None = None
        self.name = (
            f"{destination.user}@{destination.host}" if destination.user else destination.host
        )

    @cached_property
    def socket(self) -> Path:
        return sockets.socket_of(self._destination)

    def alive(self) -> Alive | None:
        """The master, if there is one; asking starts no program and sends nothing.

        Raises SpinstackError if others can access its directory, or it does not respond.
        """
        if not sockets.check(self.socket.parent):
            return None
        try:
            with mux.Client(self.socket) as client:
                pid = client.pid()
            opened, used = self._lock.stat().st_mtime, self.socket.stat().st_mtime
        except TimeoutError:
            raise self._stuck() from None
        except OSError:
            return None
        return Alive(pid, opened, max(opened, used) + PERSIST_HOURS * 3600)

    def used(self) -> None:
        """Restart its time: ssh counts from the end of the last session."""
        with contextlib.suppress(OSError):  # it may have ended, and its socket with it
            os.utime(self.socket)

    def begin(self) -> None:
        """Have ssh log in while the caller does other things, unless that has been done. `open`
        waits until it has, `abandon` ends it. Raises as `open` does."""
        going = self._logging_in()
        with contextlib.suppress(StopIteration):
            next(going)
            self._going = going

    def abandon(self) -> None:
        """End a login that was begun and is still under way."""
        going, self._going = self._going, None
        if going:
            going.close()

    def open(self) -> Alive:
        """Log in, unless that has been done; the master.

        ssh asks its questions on the terminal; the setting `login_answer_file` answers for a
        rehearsal; with neither, only a login that needs no answer succeeds. Raises
        SpinstackError, or UsageError if someone would have to answer.
        """
        going, self._going = self._going or self._logging_in(), None
        try:
            while True:
                next(going)
        except StopIteration as end:
            there: Alive = end.value
            return there

    def there(self) -> Alive:
        """The master, after a login if there is none."""
        return (None if self._going else self.alive()) or self.open()

    def _logging_in(self) -> Generator[None, None, Alive]:
        """The login; pauses once ssh is under way."""
        sockets.make(self.socket.parent)
        with self._alone():
            return self.alive() or (yield from self._open())

    def _open(self) -> Generator[None, None, Alive]:
        # Left by a master that was killed, or by another machine with the same name.
        gone = "the previous login has ended; " if self._lock.read_text() else ""
        with self._usable(self.socket):
            self.socket.unlink(missing_ok=True)
        check_program()
        self._say(
            f"{gone}logging in to {self.name}; the login stays open for {PERSIST_HOURS} hours"
        )
        yield from login.log_in(
            self._destination, self.name, self.socket, PERSIST_HOURS * 3600, self._say
        )
        self._lock.write_text("logged in\n")
        there = self.alive()
        if there is None:
            raise SpinstackError(
                f"the login to {self.name} ended immediately",
                where=str(self.socket),
                remedy=f"see what `{waits.by_hand(self._destination)}` prints, or set wire: fabric",
            )
        return there

    def close(self) -> bool:
        """End the login, for every command that uses it. Returns whether there was one."""
        if not sockets.check(self.socket.parent):
            return False
        try:
            with mux.Client(self.socket) as client:
                client.terminate()
        except TimeoutError:
            raise self._stuck() from None
        except OSError:
            return False
        # Removed with it, but perhaps only after the next command has looked.
        self.socket.unlink(missing_ok=True)
        self._lock.write_text("")
        return True

    @property
    def _lock(self) -> Path:
        """Held while a command logs in; written then, and emptied by a logout: its time is that of
        the login, and its content reveals a login that ended by itself."""
        return self.socket.with_suffix(".lock")

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """One command logs in at a time: the second finds the login of the first."""
        with self._usable(self._lock):
            opened = self._lock.open("a")
        with opened as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                self._say(f"waiting for another command that is logging in to {self.name}")
                fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    @contextlib.contextmanager
    def _usable(self, path: Path) -> Iterator[None]:
        """Raises SpinstackError if something else is there."""
        try:
            yield
        except OSError as error:
            raise SpinstackError(
                f"the login to {self.name} can't be kept open: {error.strerror}",
                where=str(path),
                remedy=f"rm -r {shlex.quote(str(path))}",
            ) from None

    def _stuck(self) -> SpinstackError:
        return SpinstackError(
            f"the ssh process that holds the login to {self.name} does not respond",
            where=str(self.socket),
            remedy=f"kill it (`ps` shows the socket in its command line), remove {self.socket}, "
            "and run the same command again",
        )


def version() -> tuple[int, int] | None:
    """Of the `ssh` program; None if there is no OpenSSH."""
    program = shutil.which("ssh")
    return _version_of(program) if program else None


@cache
def _version_of(program: str) -> tuple[int, int] | None:
    output, errors = ahead.answer(ahead.version(program))
    found = re.search(rb"OpenSSH\w*_(\d+)\.(\d+)", errors + output)
    return (int(found[1]), int(found[2])) if found else None


def check_program() -> None:
    """Raises UsageError if there is no `ssh` that can keep a login open for us."""
    found = version()
    wanted = ".".join(map(str, OLDEST))
    if found is None:
        problem = "OpenSSH is not installed"
    elif found < OLDEST:
        problem = f"OpenSSH {found[0]}.{found[1]} is too old"
    else:
        return
    raise UsageError(
        f"{problem} for the wire openssh",
        where="setting wire",
        remedy=f"install OpenSSH {wanted} or newer, or set wire: fabric",
    )
