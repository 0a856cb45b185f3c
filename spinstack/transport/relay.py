"""Carries bytes between this process and a command on the login node, both ways."""

from __future__ import annotations

import codecs
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import BinaryIO

from spinstack.console import streams
from spinstack.text import harmless
from spinstack.transport import waiting
from spinstack.transport.channel import Channel, Stream
from spinstack.transport.command import Command

CHUNK = 65536
# Leaves a command that hangs, or a lost network: at the start of a line, as in ssh.
LEAVE = b"\r~."
# How long output may still come after the command has ended; seconds.
DRAIN_SECONDS = 2.0
_UNFINISHED = re.compile(r"(?:\r|\x1b(?:\[[0-9;:]*)?)\Z")


def script(prepare: Command, command: Command, mark: str, *, terminal: bool) -> str:
    """What bash runs: the mark on each output (a terminal has only one) shows where the
    command's own output begins."""
    marks = f"printf '\\n%s\\n' {mark}"
    marks += "" if terminal else f" && {marks} >&2"
    return f"{{ {prepare.script()}\n}} && {marks} && exec {command.script()}"


def on_terminal() -> bool:
    """Whether input and output of this process are a terminal that passes every key, which that
    of Windows does not."""
    return sys.platform != "win32" and sys.stdin.isatty() and sys.stdout.isatty()


def window() -> tuple[int, int]:
    """Columns and rows of our terminal; the usual size if there is none."""
    try:
        size = os.get_terminal_size(sys.stdout.fileno())
    except (OSError, ValueError):
        return 80, 24
    return size.columns, size.lines


class Gate:
    """Withholds output until a line with the mark has arrived."""

    def __init__(self, mark: bytes) -> None:
        self._mark = b"\n" + mark
        self.open = False
        self.before = b""

    def through(self, data: bytes) -> bytes:
        """The part of the next piece that may be shown."""
        if self.open:
            return data
        self.before += data
        head, found, rest = self.before.partition(self._mark)
        end = rest.find(b"\n")
        if not found or end < 0:
            return b""
        self.open, self.before = True, head
        return rest[end + 1 :]


class Foreign:
    """What a command prints, for a terminal: it comes in pieces that may end anywhere."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._begun = ""

    def harmless(self, data: bytes, *, last: bool) -> bytes:
        """The next piece. The end of a line, or a colour, that is not whole waits for the next
        one, unless this is the last."""
        text = self._begun + self._decoder.decode(data, last)
        whole = text if last else _UNFINISHED.sub("", text)
        self._begun = text[len(whole) :]
        return harmless(whole).encode()


class Relay:
    """One command's channel. `input` is given to it first; `stream`: where its input comes from,
    and where its output goes, in place of that and of ours. `before`: what came before the command
    began; `left`: whether the person left it, or our terminal was closed; `stuck`: why its input
    could not be read or sent."""

    def __init__(
        self, channel: Channel, mark: bytes, input: bytes = b"", stream: Stream | None = None
    ) -> None:
        self._channel = channel
        self._input = input
        self._stream = stream or Stream()
        self.stuck: OSError | None = None
        self._gates = {1: Gate(mark), 2: Gate(mark)}
        self._foreign = {1: Foreign(), 2: Foreign()}
        self._raw = False
        self._last_keys = b"\r"
        self._ended = False
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
        with self._feeding():
            return self._carry(None, None)

    def on_terminal(self) -> int | None:
        """The same, with our keys and our window's size going to it; what it prints is a terminal's
        own, and not changed."""
        self._raw = True
        with _raw_keys(), _resizes() as resized:
            return self._carry(sys.stdin.fileno(), resized)

    @contextmanager
    def _feeding(self) -> Iterator[None]:
        """Sends the input while output is shown: a command may answer before it has read all."""
        if not self._input and not self._stream.source:
            yield
            return
        thread = threading.Thread(target=self._feed, daemon=True)
        thread.start()
        try:
            yield
        finally:
            thread.join(DRAIN_SECONDS)

    def _feed(self) -> None:
        with suppress(OSError):  # it has ended, which its exit code tells better
            self._channel.write(self._input)
            if self._stream.source:
                self._feed_source(self._stream.source)

    def _feed_source(self, source: BinaryIO) -> None:
        try:
            while piece := source.read(CHUNK):
                self._channel.write(piece)
            self._channel.end_input()
        except ConnectionError:
            raise
        except OSError as error:
            # Without the rest, and without an end, the command would wait for ever.
            self.stuck = error

    def _carry(self, keys: int | None, resized: int | None) -> int | None:
        ours = [fd for fd in (keys, resized) if fd is not None]
        ended_at = 0.0
        while True:
            patience = 0.02 if self._ended else 0.2
            ready = waiting.readable([*self._channel.filenos(), *ours], patience)
            if keys in ready and not self._type(keys):
                self.left = True
                return None
            if resized in ready and resized is not None:
                os.read(resized, CHUNK)
                self._channel.resize(*window())
            if self._show():
                continue
            code = self._channel.exit_code()
            if code is not None:
                ended_at = ended_at or time.monotonic()
                if self._ended or time.monotonic() - ended_at > DRAIN_SECONDS:
                    self._show()
                    for stream in self._gates:
                        self._write(stream, b"")
                    return code
            elif self.stuck or not self._channel.alive:
                return None

    def _type(self, keys: int | None) -> bool:
        """Pass on what was typed; False if our terminal was closed, or to leave."""
        typed = os.read(keys, CHUNK) if keys is not None else b""
        self._last_keys = (self._last_keys + typed)[-len(LEAVE) :]
        if not typed or self._last_keys == LEAVE:
            return False
        with suppress(OSError):  # it has ended, which its exit code tells better
            self._channel.write(typed)
        return True

    def _show(self) -> bool:
        """Show what has arrived; whether anything had."""
        shown = False
        while data := self._channel.read(0):
            shown = self._write(1, data)
        self._ended = data == b""
        while data := self._channel.read_error():
            shown = self._write(2, data)
        return shown

    def _write(self, stream: int, data: bytes) -> bool:
        visible = self._gates[stream].through(data)
        if stream == 1 and self._stream.target:
            self._stream.target.write(visible)
            return bool(data)
        target = sys.stdout if stream == 1 else sys.stderr
        if target.isatty() and not self._raw:
            visible = self._foreign[stream].harmless(visible, last=not data)
        if visible:
            with streams.needed() if stream == 1 else streams.expendable():
                target.buffer.write(visible)
                target.buffer.flush()
        return bool(data)


@contextmanager
def _raw_keys() -> Iterator[None]:
    """Every key as it is typed; the terminal is always restored."""
    import termios
    import tty

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
