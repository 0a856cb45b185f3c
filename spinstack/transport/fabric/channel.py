"""A session on a Fabric connection: a paramiko channel."""

from __future__ import annotations

import contextlib
import socket
import time

import paramiko

from spinstack.transport.channel import OPEN_SECONDS, WRITE_SECONDS, Pty

CHUNK = 65536
# How long to wait while the other end accepts no more.
FULL_SECONDS = 0.005


class FabricChannel:
    """Raises SSHException, OSError or EOFError if the other end opens no session."""

    def __init__(self, transport: paramiko.Transport, command: str, pty: Pty | None) -> None:
        self._transport = transport
        self._channel = transport.open_session(timeout=OPEN_SECONDS)
        self._ended = False
        try:
            if pty:
                self._channel.get_pty(pty.kind, pty.columns, pty.rows)
            self._channel.exec_command(command)
        except BaseException:
            self._channel.close()
            raise

    def filenos(self) -> list[int]:
        return [] if self._ended else [self._channel.fileno()]

    def write(self, data: bytes) -> None:
        # The channel's own timeout is used by `read`, which may be running in another thread.
        left, deadline = memoryview(data), time.monotonic() + WRITE_SECONDS
        while left:
            try:
                sent = self._channel.send(bytes(left[:CHUNK]))
            except TimeoutError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(FULL_SECONDS)
            except paramiko.SSHException as error:
                raise OSError(str(error)) from None
            else:
                if not sent:
                    raise BrokenPipeError("the session has ended")
                left, deadline = left[sent:], time.monotonic() + WRITE_SECONDS

    def end_input(self) -> None:
        with contextlib.suppress(OSError, paramiko.SSHException):  # it has ended
            self._channel.shutdown_write()

    def read(self, seconds: float) -> bytes | None:
        self._channel.settimeout(seconds)
        try:
            data = self._channel.recv(CHUNK)
        except TimeoutError:
            return None
        except OSError:
            data = b""
        self._ended = not data
        return data

    def read_error(self) -> bytes:
        return self._channel.recv_stderr(CHUNK) if self._channel.recv_stderr_ready() else b""

    def resize(self, columns: int, rows: int) -> None:
        with contextlib.suppress(OSError, paramiko.SSHException):  # it has ended
            self._channel.resize_pty(columns, rows)

    def exit_code(self, seconds: float = 0) -> int | None:
        if not self._channel.status_event.wait(seconds):
            return None
        code = self._channel.recv_exit_status()
        return None if code < 0 else code

    @property
    def alive(self) -> bool:
        return bool(self._transport.is_active()) and not self._channel.closed

    def close(self) -> None:
        self._channel.close()


def without_delay(transport: paramiko.Transport) -> None:
    """Send each packet at once, as ssh does: paramiko leaves Nagle's algorithm on, which delays a
    second small packet until the first is acknowledged, a round trip later."""
    # With a jump host it is a channel of that connection.
    if isinstance(transport.sock, socket.socket):
        with contextlib.suppress(OSError):
            transport.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
