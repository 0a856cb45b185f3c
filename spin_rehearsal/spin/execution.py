"""A command in a running container, its streams relayed as lines of JSON.

From the client: `{"in": base64}`, `{"eof": true}`, `{"resize": [rows, columns]}`; to the
client: `{"out": base64}`, `{"err": base64}`, and at the end `{"exit": code}`.
"""

from __future__ import annotations

import base64
import contextlib
import fcntl
import json
import os
import pty
import signal
import struct
import subprocess
import termios
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from spin_rehearsal.spin import containers
from spin_rehearsal.spin.errors import invalid


@dataclass(frozen=True)
class ExecRequest:
    """A command to run, and how it is to be connected."""

    command: tuple[str, ...]
    tty: bool = False
    interactive: bool = False
    user: str = ""
    rows: int = 24
    columns: int = 80

    @classmethod
    def parse(cls, body: dict[str, Any]) -> ExecRequest:
        """Raises ApiError (422)."""
        command = body.get("command")
        if not isinstance(command, list) or not command:
            raise invalid("command", "command is a list of words", "MissingRequired")
        try:
            rows, columns = int(body.get("rows") or 24), int(body.get("columns") or 80)
        except (TypeError, ValueError):
            raise invalid("rows", "rows and columns are numbers") from None
        return cls(
            tuple(str(word) for word in command),
            tty=bool(body.get("tty")),
            interactive=bool(body.get("interactive")),
            user=str(body.get("user") or ""),
            rows=rows,
            columns=columns,
        )


class Execution:
    """One running `docker exec` (or podman's)."""

    def __init__(self, engine: str, container: str, request: ExecRequest) -> None:
        command = containers.execute(
            engine,
            container,
            request.command,
            tty=request.tty,
            interactive=request.interactive,
            user=request.user,
        )
        self._lock = threading.Lock()
        self._terminal: int | None = None
        if request.tty:
            self._process = self._on_terminal(command.argv(), request)
        else:
            self._process = subprocess.Popen(
                command.argv(),
                stdin=subprocess.PIPE if request.interactive else subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )

    def _on_terminal(self, argv: list[str], request: ExecRequest) -> subprocess.Popen[bytes]:
        """The engine's program wants a terminal on its own side to give one inside."""
        self._terminal, side = pty.openpty()
        self.resize(request.rows, request.columns)
        try:
            return subprocess.Popen(argv, stdin=side, stdout=side, stderr=side)
        finally:
            os.close(side)

    def relay(self, lines: Iterable[bytes], send: Callable[[dict[str, Any]], None]) -> None:
        """Both ways until the command ends, or the client leaves (which ends the command).
        `lines` come from the client; `send` takes a message to it."""
        outputs = self._outputs(send)
        for thread in outputs:
            thread.start()
        threading.Thread(target=self._take, args=(lines,), daemon=True).start()
        code = self._process.wait()
        for thread in outputs:
            thread.join(timeout=5)
        with self._lock:
            if self._terminal is not None:
                os.close(self._terminal)
                self._terminal = None
        with contextlib.suppress(OSError):
            send({"exit": code})

    def _outputs(self, send: Callable[[dict[str, Any]], None]) -> list[threading.Thread]:
        if self._terminal is not None:
            sources = {"out": self._terminal}
        else:
            assert self._process.stdout and self._process.stderr
            sources = {"out": self._process.stdout.fileno(), "err": self._process.stderr.fileno()}
        return [
            threading.Thread(target=_pump, args=(source, name, send), daemon=True)
            for name, source in sources.items()
        ]

    def _take(self, lines: Iterable[bytes]) -> None:
        """Obey the client until it leaves."""
        with contextlib.suppress(OSError, ValueError):
            for line in lines:
                self._obey(json.loads(line))
        if self._process.poll() is None:
            self._process.terminate()

    def _obey(self, message: dict[str, Any]) -> None:
        if "in" in message:
            self._write(base64.b64decode(message["in"]))
        elif message.get("eof"):
            self._end_of_input()
        elif "resize" in message:
            rows, columns = message["resize"]
            self.resize(int(rows), int(columns))
            self._process.send_signal(signal.SIGWINCH)

    def _write(self, data: bytes) -> None:
        with contextlib.suppress(OSError):
            if self._terminal is not None:
                os.write(self._terminal, data)
            elif self._process.stdin and not self._process.stdin.closed:
                self._process.stdin.write(data)
                self._process.stdin.flush()

    def _end_of_input(self) -> None:
        if self._terminal is not None:
            self._write(b"\x04")
        elif self._process.stdin:
            with contextlib.suppress(OSError):
                self._process.stdin.close()

    def resize(self, rows: int, columns: int) -> None:
        """Tell the terminal its size; the engine's program hears of it by SIGWINCH."""
        with self._lock:
            if self._terminal is not None:
                size = struct.pack("HHHH", rows, columns, 0, 0)
                fcntl.ioctl(self._terminal, termios.TIOCSWINSZ, size)


def _pump(source: int, name: str, send: Callable[[dict[str, Any]], None]) -> None:
    """Until the source ends (a terminal ends with an error of input)."""
    with contextlib.suppress(OSError):
        while data := os.read(source, 32768):
            send({name: base64.b64encode(data).decode("ascii")})
