"""The seam through which every program on this machine is started.

Three backends behind one protocol: `LocalRunner` runs, `PrintingRunner` shows (that is
`--dry`: the same code path above the seam, so a dry run is never incomplete), and
`RecordingRunner` answers from a list and refuses what was not announced (for tests).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from spinstack.command import Command
from spinstack.errors import SpinstackError


@dataclass(frozen=True)
class Result:
    """What a program answered. `code` is its exit code."""

    stdout: str = ""
    stderr: str = ""
    code: int = 0

    @property
    def ok(self) -> bool:
        return self.code == 0


class Runner(Protocol):
    """Starts programs on this machine."""

    dry: bool

    def run(
        self,
        command: Command,
        *,
        input: str | None = None,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        timeout: float | None = None,
        on_line: Callable[[str], None] | None = None,
        changes: bool = True,
    ) -> Result:
        """Run the command and wait for it.

        `input` is given on standard input (closed at once if None). `env` is added to this
        process's environment. `timeout` in seconds. `on_line` gets each line of output as
        it comes (standard error merged in). `changes=False` marks a command that only
        looks. Never raises for an exit code; raises SpinstackError when the program is not
        installed or the time is up.
        """
        ...


class LocalRunner:
    """Runs for real, never through a shell."""

    dry = False

    def __init__(self, echo: Callable[[str], None] | None = None) -> None:
        self._echo = echo

    def run(
        self,
        command: Command,
        *,
        input: str | None = None,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        timeout: float | None = None,
        on_line: Callable[[str], None] | None = None,
        changes: bool = True,
    ) -> Result:
        if self._echo:
            self._echo(command.shown())
        argv = command.argv()
        if shutil.which(argv[0]) is None:
            raise SpinstackError(
                f"the program {argv[0]} is not installed",
                where=command.shown(),
                remedy=f"install {argv[0]} and run the same command again",
            )
        whole_env = {**os.environ, **env} if env else None
        try:
            if on_line is None:
                done = subprocess.run(
                    argv,
                    input=input,
                    stdin=subprocess.DEVNULL if input is None else None,
                    capture_output=True,
                    cwd=cwd,
                    env=whole_env,
                    timeout=timeout,
                    encoding="utf-8",
                    errors="replace",
                )
                return Result(done.stdout, done.stderr, done.returncode)
            return _run_streaming(argv, input, cwd, whole_env, on_line, timeout)
        except subprocess.TimeoutExpired:
            raise SpinstackError(
                f"{argv[0]} did not finish within {timeout:.0f} s",
                where=command.shown(),
                remedy="look whether the machine or the network is stuck, then run it again",
            ) from None


def _run_streaming(
    argv: list[str],
    input: str | None,
    cwd: Path | None,
    env: Mapping[str, str] | None,
    on_line: Callable[[str], None],
    timeout: float | None,
) -> Result:
    with (
        subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL if input is None else subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=cwd,
            env=env,
            encoding="utf-8",
            errors="replace",
        ) as process,
        _killed_after(process, timeout) as late,
    ):
        if process.stdin is not None and input is not None:
            process.stdin.write(input)
            process.stdin.close()
        lines = []
        assert process.stdout is not None
        for line in process.stdout:
            lines.append(line)
            on_line(line.rstrip("\r\n"))
    if late.is_set():
        raise subprocess.TimeoutExpired(argv, timeout or 0)
    return Result("".join(lines), "", process.returncode)


@contextmanager
def _killed_after(
    process: subprocess.Popen[str], seconds: float | None
) -> Iterator[threading.Event]:
    """Kill the process when its time is up; the event tells that it was."""
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


class PrintingRunner:
    """Shows what would run and runs none of it; every answer is an empty success."""

    dry = True

    def __init__(self, show: Callable[[str], None] = print) -> None:
        self._show = show

    def run(
        self,
        command: Command,
        *,
        input: str | None = None,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        timeout: float | None = None,
        on_line: Callable[[str], None] | None = None,
        changes: bool = True,
    ) -> Result:
        self._show(f"$ {command.shown()}")
        return Result()


@dataclass
class RecordingRunner:
    """For tests: answers announced commands, refuses all others, remembers each call.

    `answers` maps a prefix of the shown command to its answer (or to a list of answers,
    used one after the other).
    """

    answers: dict[str, Result | list[Result]] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    inputs: list[str | None] = field(default_factory=list)
    dry: bool = False

    def run(
        self,
        command: Command,
        *,
        input: str | None = None,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        timeout: float | None = None,
        on_line: Callable[[str], None] | None = None,
        changes: bool = True,
    ) -> Result:
        shown = command.shown()
        self.calls.append(shown)
        self.inputs.append(input)
        for prefix in sorted(self.answers, key=len, reverse=True):
            if shown.startswith(prefix):
                answer = self.answers[prefix]
                result = answer.pop(0) if isinstance(answer, list) else answer
                if on_line:
                    for line in result.stdout.splitlines():
                        on_line(line)
                return result
        raise AssertionError(f"not announced: {shown}")
