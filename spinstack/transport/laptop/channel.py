"""A bash of this machine: pipes, or a terminal of its own."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import time

from spinstack.transport.channel import Pty
from spinstack.transport.ends import Ends, set_size

# Seconds that a program has to end once nobody listens to it any more, and once it is told to.
LEFT_SECONDS, TOLD_SECONDS = 0.3, 0.5

# What a shell reads or obeys before any script; a bash that is given a command needs none of it.
_STARTING = ("BASH_ENV", "ENV", "SHELLOPTS", "BASHOPTS")

# Makes its input the controlling terminal, so that Ctrl-C and a change of size become signals.
# A program of its own: between fork and exec, Python code could block on a lock of a thread.
_OWN_TERMINAL = (
    "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); "
    "os.execv(sys.argv[1], sys.argv[1:])"
)


class LaptopChannel:
    """Runs a command of bash in a session and process group of its own: keys that are typed for
    this process reach it only through `write`. Raises OSError if it can't be started."""

    alive = True

    def __init__(self, bash: str, command: str, terminal: Pty | None) -> None:
        """`bash`: its path."""
        words = [bash, "-c", command]
        environment = {name: it for name, it in os.environ.items() if name not in _STARTING}
        if terminal:
            self._on_terminal(words, environment, terminal)
        else:
            self._with_pipes(words, environment)

    def _with_pipes(self, words: list[str], environment: dict[str, str]) -> None:
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(
            words,
            stdin=pipe,
            stdout=pipe,
            stderr=pipe,
            bufsize=0,
            env=environment,
            start_new_session=True,
        )
        files = (self._process.stdin, self._process.stdout, self._process.stderr)
        # The files of Popen would close theirs a second time.
        self._ends = Ends(*(os.dup(file.fileno()) for file in files if file))
        for file in files:
            if file:
                file.close()

    def _on_terminal(self, words: list[str], environment: dict[str, str], wanted: Pty) -> None:
        ours, its = pty.openpty()
        try:
            set_size(ours, wanted.columns, wanted.rows)
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", _OWN_TERMINAL, *words],
                stdin=its,
                stdout=its,
                stderr=its,
                env={**environment, "TERM": wanted.kind},
                start_new_session=True,
            )
        except BaseException:
            os.close(ours)
            raise
        finally:
            os.close(its)
        self._ends = Ends(ours, ours)

    def filenos(self) -> list[int]:
        return list(self._ends.open)

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

    def exit_code(self, seconds: float = 0) -> int | None:
        """As a shell tells it: 128 and the signal's number if one ended the command."""
        try:
            code = self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None
        return 128 - code if code < 0 else code

    def close(self) -> None:
        """Ends all that it has started: with nobody to hear it, it would go on unseen."""
        self._ends.close()
        # A step that notices may tidy up.
        self.exit_code(LEFT_SECONDS)
        if self._tell(signal.SIGTERM) and not self._gone_within(TOLD_SECONDS):
            self._tell(signal.SIGKILL)
        self._process.wait()

    def _gone_within(self, seconds: float) -> bool:
        until = time.monotonic() + seconds
        while self._tell(0):
            # A child that has ended counts until it is waited for.
            self._process.poll()
            if time.monotonic() > until:
                return False
            time.sleep(0.01)
        return True

    def _tell(self, number: int) -> bool:
        """Send a signal to the whole group; whether any of it was left."""
        try:
            os.killpg(self._process.pid, number)
        except (ProcessLookupError, PermissionError):
            return False
        return True
