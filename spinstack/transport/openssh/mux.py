"""The protocol of an OpenSSH master's socket: sessions on an existing login.

Used directly instead of by an `ssh` program for each session: nothing here can log in, so no
second login can happen by mistake, and no configuration is read again. Source:
PROTOCOL.mux of OpenSSH, version 4 of the protocol, unchanged since OpenSSH 5.4 (2010).
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Sequence
from pathlib import Path

from spinstack.text import encoded

VERSION = 4
# Requests and answers, by the names and numbers of PROTOCOL.mux.
HELLO = 0x00000001
NEW_SESSION = 0x10000002
ALIVE_CHECK = 0x10000004
TERMINATE = 0x10000005
OK = 0x80000001
PERMISSION_DENIED = 0x80000002
FAILURE = 0x80000003
EXIT_MESSAGE = 0x80000004
ALIVE = 0x80000005
SESSION_OPENED = 0x80000006

_NO_ESCAPE = 0xFFFFFFFF
# Bytes of a message; more than the master's answers ever have.
_LARGEST = 256 * 1024
# A master answers at once; it never waits for anything.
ANSWER_SECONDS = 5.0


class Refused(OSError):
    """The master refused, or answered something else."""


class Client:
    """One connection to a master's socket. Every method raises OSError (such as TimeoutError) if
    the master does not respond, and Refused if it refuses."""

    def __init__(self, path: Path) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(ANSWER_SECONDS)
        try:
            self.socket.connect(str(path))
            self._greet()
        except BaseException:
            self.socket.close()
            raise

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self.socket.close()

    def _greet(self) -> None:
        self._send(HELLO, VERSION)
        kind, body = self.receive()
        if kind != HELLO or body[:4] != struct.pack(">I", VERSION):
            raise Refused(f"it does not speak version {VERSION} of the protocol")

    def pid(self) -> int:
        """The process id of the master."""
        self._send(ALIVE_CHECK, 0)
        kind, body = self.receive()
        if kind != ALIVE:
            raise Refused(_reason(kind, body))
        return _number(body[4:8])

    def terminate(self) -> None:
        """End the master, and the connection with all its sessions."""
        self._send(TERMINATE, 0)
        try:
            kind, body = self.receive()
        except ConnectionError:  # it ended before its answer was read
            return
        if kind != OK:
            raise Refused(_reason(kind, body))

    def open_session(
        self, command: str, files: Sequence[int], *, terminal: str = "", seconds: float
    ) -> None:
        """Run a command on the login node with our descriptors as its input, output and errors.

        `terminal`: the type of its terminal there, which has the size of the one behind
        `files`. `seconds`: how long the other end may take to open it.
        """
        flags = (int(bool(terminal)), 0, 0, 0)  # terminal, X11, agent, subsystem
        head = struct.pack(">I", 0) + _text("") + struct.pack(">5I", *flags, _NO_ESCAPE)
        self._write(NEW_SESSION, head + _text(terminal) + _text(command))
        for file in files:
            socket.send_fds(self.socket, [b"\0"], [file])
        self.socket.settimeout(seconds)
        kind, body = self.receive()
        if kind != SESSION_OPENED:
            raise Refused(_reason(kind, body))

    def receive(self) -> tuple[int, bytes]:
        """The next message: its kind, and what follows it."""
        size = _number(self._exactly(4))
        if size > _LARGEST:
            raise Refused(f"a message of {size} bytes")
        message = self._exactly(size)
        return _number(message[:4]), message[4:]

    def _exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            piece = self.socket.recv(size - len(data))
            if not piece:
                raise ConnectionResetError("the master has ended")
            data += piece
        return data

    def _send(self, kind: int, number: int) -> None:
        self._write(kind, struct.pack(">I", number))

    def _write(self, kind: int, body: bytes) -> None:
        self.socket.sendall(struct.pack(">II", len(body) + 4, kind) + body)


def _number(data: bytes) -> int:
    """Raises Refused if it is not all there."""
    if len(data) != 4:
        raise Refused("a message that is too short")
    return int(struct.unpack(">I", data)[0])


def exit_code(body: bytes) -> int:
    """Of an EXIT_MESSAGE. Raises Refused."""
    return _number(body[4:8])


def _text(text: str) -> bytes:
    data = encoded(text)
    return struct.pack(">I", len(data)) + data


def _reason(kind: int, body: bytes) -> str:
    if kind in (FAILURE, PERMISSION_DENIED) and len(body) >= 8:
        return body[8:].decode("utf-8", "replace")
    return f"answer {kind:#x}"
