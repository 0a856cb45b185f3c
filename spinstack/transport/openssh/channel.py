"""A session on an OpenSSH master: pipes, or a terminal, whose other ends the master holds."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import signal
import struct
import termios
import time
import tty
from pathlib import Path

from spinstack.transport import waiting
from spinstack.transport.channel import OPEN_SECONDS, WRITE_SECONDS, Pty
from spinstack.transport.openssh import mux

CHUNK = 65536


class OpenSSHChannel:
    """Raises OSError if the master is gone, or opens no session."""

    def __init__(self, path: Path, pid: int, command: str, terminal: Pty | None) -> None:
        """`pid`: the expected master; another one is a different login."""
        self._pid = pid
        self._code: int | None = None
        self._client = mux.Client(path)
        self._ends = _Terminal(terminal) if terminal else _Pipes()
        try:
            if self._client.pid() != pid:
                raise ConnectionResetError("the login that this command used has ended")
            kind = terminal.kind if terminal else ""
            self._client.open_session(
                command, self._ends.theirs, terminal=kind, seconds=OPEN_SECONDS
            )
        except BaseException:
            self._ends.hand_over()
            self.close()
            raise
        self._ends.hand_over()
        os.set_blocking(self._ends.input, False)
        # Its outputs that have not ended yet.
        self._open = {self._ends.output, self._ends.error} - {-1}

    def filenos(self) -> list[int]:
        return [*self._open, *([self._client.socket.fileno()] if self._awaited else [])]

    @property
    def _awaited(self) -> bool:
        """Whether the master may send more."""
        return self._client.socket.fileno() >= 0 and self._code is None

    def write(self, data: bytes) -> None:
        left = memoryview(data)
        while left:
            if not waiting.writable(self._ends.input, WRITE_SECONDS):
                raise TimeoutError(f"it has accepted nothing for {WRITE_SECONDS} s")
            with contextlib.suppress(BlockingIOError):
                left = left[os.write(self._ends.input, left) :]

    def read(self, seconds: float) -> bytes | None:
        if self._ends.output not in self._open:
            return b""
        ready = waiting.readable([self._ends.output], seconds)
        return self._take(self._ends.output) if ready else None

    def read_error(self) -> bytes:
        if self._ends.error not in self._open:
            return b""
        ready = waiting.readable([self._ends.error], 0)
        return self._take(self._ends.error) if ready else b""

    def _take(self, end: int) -> bytes:
        try:
            data = os.read(end, CHUNK)
        except OSError:  # a terminal whose other end is closed
            data = b""
        if not data:
            self._open.discard(end)
        return data

    def resize(self, columns: int, rows: int) -> None:
        _set_size(self._ends.input, columns, rows)
        # As the ssh program does it: the master then reads the sizes of its terminals.
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._pid, signal.SIGWINCH)

    def exit_code(self, seconds: float = 0) -> int | None:
        deadline = time.monotonic() + seconds
        while self._awaited:
            left = max(0.0, deadline - time.monotonic())
            if not waiting.readable([self._client.socket.fileno()], left):
                break
            self._listen()
        return self._code

    def _listen(self) -> None:
        """Read a message of the master; after its end nothing more comes."""
        try:
            kind, body = self._client.receive()
            if kind == mux.EXIT_MESSAGE:
                self._code = mux.exit_code(body)
        except OSError:
            self._client.close()

    @property
    def alive(self) -> bool:
        self.exit_code()
        return self._code is not None or self._awaited

    def close(self) -> None:
        self._client.close()
        self._ends.close()


class _Pipes:
    """A pipe for the input and one for each of the two outputs."""

    def __init__(self) -> None:
        its_input, self.input = os.pipe()
        self.output, its_output = os.pipe()
        self.error, its_error = os.pipe()
        self.theirs = [its_input, its_output, its_error]

    def hand_over(self) -> None:
        """The master has its own copies now: what ends there, ends here."""
        while self.theirs:
            os.close(self.theirs.pop())

    def close(self) -> None:
        for end in {self.input, self.output, self.error} - {-1}:
            os.close(end)
        self.input = self.output = self.error = -1


class _Terminal:
    """A terminal of our own between the master and this process."""

    def __init__(self, wanted: Pty) -> None:
        self.input, its = pty.openpty()
        self.output, self.error = self.input, -1
        _set_size(self.input, wanted.columns, wanted.rows)
        self.theirs = [its, its, its]

    def hand_over(self) -> None:
        """The other side has copied its modes; from now on it passes every byte."""
        if self.theirs:
            tty.setraw(self.theirs[0])
            os.close(self.theirs[0])
            self.theirs = []

    def close(self) -> None:
        if self.input >= 0:
            os.close(self.input)
        self.input = self.output = -1


def _set_size(terminal: int, columns: int, rows: int) -> None:
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
