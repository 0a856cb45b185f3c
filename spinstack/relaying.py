"""Carries bytes between this process and a command on the login node, both ways."""

from __future__ import annotations

import os
import select
import signal
import sys
import termios
import time
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from spinstack.command import Command

if TYPE_CHECKING:
    import paramiko

CHUNK = 65536
# Leaves a command that hangs, or a network that is gone: at the start of a line, as in ssh.
LEAVE = b"\r~."
# How long output may still come after the command has ended; seconds.
DRAIN_SECONDS = 2.0


def script(prepare: Command, command: Command, mark: str, *, terminal: bool) -> str:
    """What bash runs: the mark on each output (a terminal is but one) tells where the
    command's own output begins."""
    marks = f"printf '\\n%s\\n' {mark}"
    marks += "" if terminal else f" && {marks} >&2"
    return f"{{ {prepare.script()}\n}} && {marks} && exec {command.script()}"


def on_terminal() -> bool:
    """Whether a person sits at both ends of this process."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def window() -> tuple[int, int]:
    """Columns and rows of our terminal; the usual ones if there is none."""
    try:
        size = os.get_terminal_size(sys.stdout.fileno())
    except (OSError, ValueError):
        return 80, 24
    return size.columns, size.lines


class Gate:
    """Keeps output back until a line with the mark has come by."""

    def __init__(self, mark: bytes) -> None:
        self._mark = b"\n" + mark
        self.open = False
        self.before = b""

    def through(self, data: bytes) -> bytes:
        """What may be shown of the next piece."""
        if self.open:
            return data
        self.before += data
        head, found, rest = self.before.partition(self._mark)
        end = rest.find(b"\n")
        if not found or end < 0:
            return b""
        self.open, self.before = True, head
        return rest[end + 1 :]


class Relay:
    """One command's channel. `before`: what came before the command began; `left`: whether
    the person left it, or our terminal went away."""

    def __init__(self, channel: paramiko.Channel, mark: bytes, alive: Callable[[], bool]) -> None:
        self._channel = channel
        self._alive = alive
        self._gates = {1: Gate(mark), 2: Gate(mark)}
        self._last_keys = b"\r"
        self.left = False

    @property
    def begun(self) -> bool:
        return self._gates[1].open

    @property
    def before(self) -> str:
        return b"".join(gate.before for gate in self._gates.values()).decode("utf-8", "replace")

    def plain(self) -> int | None:
        """Its outputs to ours until it ends; its exit code, None if it was left or the
        connection was lost."""
        return self._carry(None, None)

    def on_terminal(self) -> int | None:
        """The same, with our keys and our window's size going to it."""
        with _raw_keys(), _resizes() as resized:
            return self._carry(sys.stdin.fileno(), resized)

    def _carry(self, keys: int | None, resized: int | None) -> int | None:
        watched: list[Any] = [self._channel, *(fd for fd in (keys, resized) if fd is not None)]
        ended_at = 0.0
        while True:
            ready, _, _ = select.select(watched, [], [], 0.2)
            if keys in ready and not self._type(keys):
                self.left = True
                return None
            if resized in ready and resized is not None:
                os.read(resized, CHUNK)
                self._channel.resize_pty(*window())
            if self._show():
                continue
            if self._channel.exit_status_ready():
                ended_at = ended_at or time.monotonic()
                late = time.monotonic() - ended_at > DRAIN_SECONDS
                if self._channel.eof_received or self._channel.closed or late:
                    self._show()
                    code = self._channel.recv_exit_status()
                    return None if code < 0 else code
            elif not self._alive() or self._channel.closed:
                return None

    def _type(self, keys: int | None) -> bool:
        """Pass on what was typed; False when our terminal has gone, or to leave."""
        typed = os.read(keys, CHUNK) if keys is not None else b""
        self._last_keys = (self._last_keys + typed)[-len(LEAVE) :]
        if not typed or self._last_keys == LEAVE:
            return False
        if not self._channel.closed:
            self._channel.sendall(typed)
        return True

    def _show(self) -> bool:
        """Show what has come; whether anything had."""
        shown = False
        while self._channel.recv_ready():
            shown = self._write(1, self._channel.recv(CHUNK)) or shown
        while self._channel.recv_stderr_ready():
            shown = self._write(2, self._channel.recv_stderr(CHUNK)) or shown
        return shown

    def _write(self, stream: int, data: bytes) -> bool:
        visible = self._gates[stream].through(data)
        target = sys.stdout if stream == 1 else sys.stderr
        if visible:
            target.buffer.write(visible)
            target.buffer.flush()
        return bool(data)


@contextmanager
def _raw_keys() -> Iterator[None]:
    """Every key as it is typed; the terminal is put back whatever happens."""
    keys = sys.stdin.fileno()
    before = termios.tcgetattr(keys)
    tty.setraw(keys, termios.TCSADRAIN)
    try:
        yield
    finally:
        termios.tcsetattr(keys, termios.TCSADRAIN, before)


@contextmanager
def _resizes() -> Iterator[int]:
    """A descriptor that becomes readable whenever our window's size has changed."""
    read_end, write_end = os.pipe()
    os.set_blocking(write_end, False)

    def changed(_number: int, _frame: object) -> None:
        os.write(write_end, b"w")

    before = signal.signal(signal.SIGWINCH, changed)
    try:
        yield read_end
    finally:
        signal.signal(signal.SIGWINCH, before)
        os.close(read_end)
        os.close(write_end)
