"""Running programs: their output line by line; ending them in time or on request."""

from __future__ import annotations

import codecs
import io
import os
import re
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from spinstack.text import encoded

# Seconds that a program has to clean up before it is killed.
GRACE = 5.0

# What ends a line on a terminal, including a carriage return and a movement of the cursor to
# another line. Other control sequences are removed.
# Source: ECMA-48, 5.4 (control sequences), 8.3 (CUU, CUD, CNL, CPL, CUP).
_LINE_END = re.compile(r"\r\n|[\r\n]|\x1b\[[0-9;]*[ABEFH]")
_CONTROL = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b[@-Z\\-_]")

# Columns of the pseudo-terminal: enough for whole words and figures, not for a wide bar.
_COLUMNS = 100


@dataclass(frozen=True)
class Program:
    """What to start, and how. `timeout` in seconds."""

    argv: list[str]
    input: str | None = None
    cwd: Path | None = None
    env: Mapping[str, str] | None = None
    timeout: float | None = None


@dataclass
class Running:
    """The programs of one runner, so that they can be ended together."""

    stopped: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _processes: set[subprocess.Popen[bytes]] = field(default_factory=set)

    @contextmanager
    def holding(self, process: subprocess.Popen[bytes]) -> Iterator[None]:
        """Keep track of the process while it runs. If the context is left by an exception (Ctrl-C),
        the process is ended."""
        with self._lock:
            self._processes.add(process)
            stopped = self.stopped
        if stopped:
            process.terminate()
        try:
            yield
        except BaseException:
            _end([process])
            raise
        finally:
            with self._lock:
                self._processes.discard(process)

    def stop(self) -> None:
        """End what runs, gently first. What starts later is ended at once."""
        with self._lock:
            self.stopped = True
            processes = list(self._processes)
        _end(processes)


def _end(processes: list[subprocess.Popen[bytes]]) -> None:
    """SIGTERM, and SIGKILL for what still runs `GRACE` seconds later."""
    for process in processes:
        process.terminate()
    until = time.monotonic() + GRACE
    for process in processes:
        try:
            process.wait(max(until - time.monotonic(), 0.01))
        except subprocess.TimeoutExpired:
            process.kill()


def collected(program: Program, running: Running) -> tuple[str, str, int]:
    """Standard output, standard error, exit code. Raises subprocess.TimeoutExpired."""
    with _started(program, stderr=subprocess.PIPE) as process, running.holding(process):
        given = None if program.input is None else encoded(program.input)
        out, err = process.communicate(given, timeout=program.timeout)
    return _text(out), _text(err), process.returncode


def streamed(program: Program, running: Running, on_line: Callable[[str], None]) -> tuple[str, int]:
    """Both outputs in one, each line passed on as it comes; exit code.

    Raises subprocess.TimeoutExpired.
    """
    lines = []
    with (
        _started(program, stderr=subprocess.STDOUT) as process,
        running.holding(process),
        _killed_after(process, program.timeout) as late,
    ):
        if process.stdin is not None and program.input is not None:
            process.stdin.write(encoded(program.input))
            process.stdin.close()
        assert process.stdout is not None
        for line in io.TextIOWrapper(process.stdout, "utf-8", errors="replace"):
            lines.append(line)
            on_line(line.rstrip("\n"))
    if late.is_set():
        raise subprocess.TimeoutExpired(program.argv, program.timeout or 0)
    return "".join(lines), process.returncode


def on_terminal(
    program: Program, running: Running, on_line: Callable[[str], None]
) -> tuple[str, int]:
    """As `streamed`, but the program writes to a pseudo-terminal: some show their progress only
    there. Every state of an overwritten line comes as a line of its own.

    Raises subprocess.TimeoutExpired.
    """
    import pty

    ours, theirs = pty.openpty()
    lines: list[str] = []
    try:
        _set_width(theirs)
        with (
            _started(program, stdout=theirs, stderr=theirs) as process,
            running.holding(process),
            _killed_after(process, program.timeout) as late,
        ):
            os.close(theirs)
            theirs = -1
            for line in _terminal_lines(ours):
                lines.append(line)
                on_line(line)
    finally:
        for descriptor in (ours, theirs):
            if descriptor >= 0:
                os.close(descriptor)
    if late.is_set():
        raise subprocess.TimeoutExpired(program.argv, program.timeout or 0)
    return "\n".join(lines), process.returncode


def _set_width(terminal: int) -> None:
    import fcntl
    import struct
    import termios

    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 50, _COLUMNS, 0, 0))


def _terminal_lines(terminal: int) -> Iterator[str]:
    """The lines as they come, until the other side is closed."""
    rest = ""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    while True:
        try:
            data = os.read(terminal, 65536)
        except OSError:  # EIO is a terminal's end of file
            data = b""
        *whole, rest = _LINE_END.split(rest + decoder.decode(data))
        if not data:
            whole.append(rest)
        for line in whole:
            plain = _CONTROL.sub("", line).rstrip()
            if plain:
                yield plain
        if not data:
            return


def _started(
    program: Program, *, stdout: int = subprocess.PIPE, stderr: int
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        program.argv,
        stdin=subprocess.DEVNULL if program.input is None else subprocess.PIPE,
        stdout=stdout,
        stderr=stderr,
        cwd=program.cwd,
        env=program.env,
    )


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace").replace("\r\n", "\n").replace("\r", "\n")


@contextmanager
def _killed_after(
    process: subprocess.Popen[bytes], seconds: float | None
) -> Iterator[threading.Event]:
    """Kill the process when its time is up; the event says whether it was."""
    late = threading.Event()

    def kill() -> None:
        late.set()
        process.kill()

    timer = threading.Timer(seconds, kill) if seconds else None
    if timer:
        timer.start()
    try:
        yield late
    finally:
        if timer:
            timer.cancel()
