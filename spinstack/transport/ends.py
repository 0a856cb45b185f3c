"""Our ends of a command's pipes, or of its terminal: bytes both ways."""

from __future__ import annotations

import contextlib
import fcntl
import os
import struct
import termios

from spinstack.transport import waiting
from spinstack.transport.channel import WRITE_SECONDS

CHUNK = 65536


class Ends:
    """Descriptors that belong to it: a terminal is its own input and output, and has no `error`
    (-1). `open`: the outputs that have not ended yet."""

    def __init__(self, input: int, output: int, error: int = -1) -> None:
        self.input, self.output, self.error = input, output, error
        self.open = {output, error} - {-1}
        os.set_blocking(input, False)

    def write(self, data: bytes) -> None:
        """Send all of it. Raises OSError if the other end is closed or takes nothing."""
        left = memoryview(data)
        while left:
            if not waiting.writable(self.input, WRITE_SECONDS):
                raise TimeoutError(f"it has accepted nothing for {WRITE_SECONDS} s")
            with contextlib.suppress(BlockingIOError):
                left = left[os.write(self.input, left) :]

    def end_input(self) -> None:
        """Of pipes: close the input."""
        if self.input != -1:
            os.close(self.input)
            self.input = -1

    def read(self, seconds: float) -> bytes | None:
        """As `Channel.read`."""
        if self.output not in self.open:
            return b""
        ready = waiting.readable([self.output], seconds)
        return self._take(self.output) if ready else None

    def read_error(self) -> bytes:
        """As `Channel.read_error`."""
        if self.error not in self.open:
            return b""
        ready = waiting.readable([self.error], 0)
        return self._take(self.error) if ready else b""

    def _take(self, end: int) -> bytes:
        try:
            data = os.read(end, CHUNK)
        except OSError:  # a terminal whose other end is closed
            data = b""
        if not data:
            self.open.discard(end)
        return data

    def resize(self, columns: int, rows: int) -> None:
        """Set the size of the terminal."""
        set_size(self.input, columns, rows)

    def close(self) -> None:
        """They may be closed already."""
        for end in {self.input, self.output, self.error} - {-1}:
            os.close(end)
        self.input = self.output = self.error = -1
        self.open = set()


def set_size(terminal: int, columns: int, rows: int) -> None:
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
