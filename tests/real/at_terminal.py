"""A person at a terminal: a program on a pseudo-terminal, keys typed, the window resized."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import termios
import time
from collections.abc import Mapping, Sequence
from pathlib import Path


class AtTerminal:
    """Runs until it ends or is left; `shown` is everything that was on the screen."""

    def __init__(
        self,
        words: Sequence[str],
        environment: Mapping[str, str],
        at: Path,
        *,
        rows: int = 33,
        columns: int = 101,
    ) -> None:
        self.shown = ""
        # Up to where something was waited for.
        self._waited = 0
        self._pid, self._terminal = pty.fork()
        if self._pid == 0:
            os.chdir(at)
            os.execvpe(words[0], list(words), dict(environment))
        self.resize(rows, columns)

    def resize(self, rows: int, columns: int) -> None:
        """The kernel tells the program by SIGWINCH, as a terminal's window does."""
        size = struct.pack("HHHH", rows, columns, 0, 0)
        fcntl.ioctl(self._terminal, termios.TIOCSWINSZ, size)

    def wait_for(self, text: str, within: float = 30) -> None:
        """Until the text is on the screen after what was waited for before."""
        end = time.monotonic() + within
        while (found := self.shown.find(text, self._waited)) < 0:
            if not self._read(end):
                raise AssertionError(f"{text!r} did not come:\n{self.shown}")
        self._waited = found + len(text)

    def type(self, keys: str, then: str = "", within: float = 30) -> None:
        """Type, and wait for what comes of it."""
        os.write(self._terminal, keys.encode())
        if then:
            self.wait_for(then, within)

    def insist(self, keys: str, then: str, within: float = 30) -> None:
        """Type until it comes: a window's new size travels on a way of its own."""
        end = time.monotonic() + within
        while time.monotonic() < end:
            try:
                self.type(keys, then, 1)
                return
            except AssertionError:
                continue
        raise AssertionError(f"{then!r} did not come:\n{self.shown}")

    def echoes(self) -> bool:
        """Whether the terminal shows what is typed, as it does for a shell."""
        return bool(termios.tcgetattr(self._terminal)[3] & termios.ECHO)

    def code(self, within: float = 15) -> int:
        """Its exit code once it has ended."""
        end = time.monotonic() + within
        while self._read(end):
            continue
        while time.monotonic() < end:
            pid, status = os.waitpid(self._pid, os.WNOHANG)
            if pid:
                return os.waitstatus_to_exitcode(status)
            time.sleep(0.05)
        self.kill()
        raise AssertionError(f"it did not end:\n{self.shown}")

    def kill(self) -> None:
        os.kill(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)

    def _read(self, end: float) -> bool:
        """Whether something came before the time was up."""
        ready, _, _ = select.select([self._terminal], [], [], max(end - time.monotonic(), 0))
        try:
            data = os.read(self._terminal, 65536) if ready else b""
        except OSError:  # nobody has the terminal open any more
            return False
        self.shown += data.decode("utf-8", "replace")
        return bool(data)
