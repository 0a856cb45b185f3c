"""A session on an OpenSSH master: pipes, or a terminal, whose other ends the master holds."""

from __future__ import annotations

import contextlib
import os
import pty
import signal
import time
import tty
from pathlib import Path

from spinstack.transport import waiting
from spinstack.transport.channel import OPEN_SECONDS, Pty
from spinstack.transport.ends import Ends, set_size
from spinstack.transport.openssh import mux


class OpenSSHChannel:
    """Raises OSError if the master is gone, or opens no session."""

    def __init__(self, path: Path, pid: int, command: str, terminal: Pty | None) -> None:
        """`pid`: the expected master; another one is a different login."""
        self._pid = pid
        self._code: int | None = None
        self._client = mux.Client(path)
        self._ends, theirs = _terminal(terminal) if terminal else _pipes()
        try:
            self._begin(command, theirs, terminal.kind if terminal else "")
        except BaseException:
            self.close()
            raise

    def _begin(self, command: str, theirs: list[int], terminal: str) -> None:
        try:
            if self._client.pid() != self._pid:
                raise ConnectionResetError("the login that this command used has ended")
            self._client.open_session(command, theirs, terminal=terminal, seconds=OPEN_SECONDS)
        finally:
            _hand_over(theirs, terminal=bool(terminal))

    def filenos(self) -> list[int]:
        client = [self._client.socket.fileno()] if self._awaited else []
        return [*self._ends.open, *client]

    @property
    def _awaited(self) -> bool:
        """Whether the master may send more."""
        return self._client.socket.fileno() >= 0 and self._code is None

    def write(self, data: bytes) -> None:
        self._ends.write(data)

    def end_input(self) -> None:
        self._ends.end_input()

    def read(self, seconds: float) -> bytes | None:
        return self._ends.read(seconds)

    def read_error(self) -> bytes:
        return self._ends.read_error()

    def resize(self, columns: int, rows: int) -> None:
        self._ends.resize(columns, rows)
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


def _pipes() -> tuple[Ends, list[int]]:
    """A pipe for the input and one for each of the two outputs; the master's ends of them."""
    its_input, our_input = os.pipe()
    our_output, its_output = os.pipe()
    our_error, its_error = os.pipe()
    return Ends(our_input, our_output, our_error), [its_input, its_output, its_error]


def _terminal(wanted: Pty) -> tuple[Ends, list[int]]:
    """A terminal of our own between the master and this process."""
    ours, its = pty.openpty()
    set_size(ours, wanted.columns, wanted.rows)
    return Ends(ours, ours), [its, its, its]


def _hand_over(theirs: list[int], *, terminal: bool) -> None:
    """The master has its own copies now: what ends there, ends here. It has copied the modes of a
    terminal, too, which from now on passes every byte."""
    if terminal:
        tty.setraw(theirs[0])
    for end in set(theirs):
        os.close(end)
