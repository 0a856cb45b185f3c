"""A conversation with a command in a container, over the API's stream of JSON lines."""

from __future__ import annotations

import base64
import json
import os
import select
import signal
import socket
import sys
import termios
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_CHUNK = 65536


def window_size() -> tuple[int, int]:
    """Rows and columns of this terminal."""
    size = os.get_terminal_size(0)
    return size.lines, size.columns


def converse(link: socket.socket, begun: bytes, raw: bool) -> int:
    """Carry both directions until the command ends; returns its exit code.

    `begun` is what has been read from the link already. With `raw` every key goes to the
    command and the terminal's size follows the window's. Returns 0 when standard input
    ends first: the connection is torn down then, whatever was still to come.
    """
    conversation = _Conversation(link, begun)
    with link:
        if not raw:
            return conversation.carry(None)
        with _raw_terminal(), _resize_pipe() as resized:
            return conversation.carry(resized)


class _Conversation:
    def __init__(self, link: socket.socket, begun: bytes) -> None:
        self._link = link
        self._buffer = begun
        self._code: int | None = None

    def carry(self, resized: int | None) -> int:
        self._take(b"")
        watched: list[Any] = [self._link, 0] + ([] if resized is None else [resized])
        while self._code is None:
            ready, _, _ = select.select(watched, [], [])
            if self._link in ready and not self._receive():
                break
            if resized in ready and resized is not None:
                os.read(resized, _CHUNK)
                self._send({"resize": list(window_size())})
            if 0 in ready and self._code is None and not self._type():
                return 0
        return 1 if self._code is None else self._code

    def _type(self) -> bool:
        """Pass on what was typed; False at end-of-file."""
        try:
            typed = os.read(0, _CHUNK)
        except OSError:  # the terminal was hung up
            return False
        if typed:
            self._send({"in": base64.b64encode(typed).decode("ascii")})
        return bool(typed)

    def _receive(self) -> bool:
        """Show what has come; False when the other side has closed."""
        try:
            part = self._link.recv(_CHUNK)
        except OSError as problem:
            sys.stderr.write(f"error during connect: {(problem.strerror or '').lower()}\n")
            return False
        self._take(part)
        return bool(part)

    def _take(self, part: bytes) -> None:
        *lines, self._buffer = (self._buffer + part).split(b"\n")
        for line in lines:
            if line.strip():
                self._show(json.loads(line))

    def _show(self, message: dict[str, Any]) -> None:
        for key, descriptor in (("out", 1), ("err", 2)):
            if key in message:
                _write(descriptor, base64.b64decode(message[key]))
        if "exit" in message:
            self._code = int(message["exit"])

    def _send(self, message: dict[str, Any]) -> None:
        try:
            self._link.sendall(json.dumps(message).encode() + b"\n")
        except OSError:
            return  # the other side has gone; its last words are still to be read


def _write(descriptor: int, content: bytes) -> None:
    while content:
        content = content[os.write(descriptor, content) :]


@contextmanager
def _raw_terminal() -> Iterator[None]:
    before = termios.tcgetattr(0)
    tty.setraw(0)
    try:
        yield
    finally:
        termios.tcsetattr(0, termios.TCSADRAIN, before)


@contextmanager
def _resize_pipe() -> Iterator[int]:
    """A descriptor that becomes readable whenever the window's size has changed."""
    read_end, write_end = os.pipe()
    os.set_blocking(write_end, False)
    before = signal.signal(signal.SIGWINCH, lambda *_: os.write(write_end, b"w"))
    try:
        yield read_end
    finally:
        signal.signal(signal.SIGWINCH, before)
        os.close(read_end)
        os.close(write_end)
