"""The seam through which every program on this machine is started.

Three backends behind one protocol: `LocalRunner` runs, `PrintingRunner` shows (that is
`--dry`: the same code path above the seam, so a dry run is never incomplete), and
`RecordingRunner` answers from a list and refuses anything else (for tests).
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, runtime_checkable

from spinstack.errors import SpinstackError, Stopped
from spinstack.text import split_lines
from spinstack.transport import processes
from spinstack.transport.command import Command


@dataclass(frozen=True)
class Result:
    """What a program printed. `code` is its exit code."""

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
        terminal: bool = False,
    ) -> Result:
        """Run the command and wait for it.

        `input` is given on standard input (closed at once if None). `env` is added to this
        process's environment. `timeout` in seconds. `on_line` gets each line of output as
        it comes (standard error merged in). `changes=False` marks a command that only
        looks. `terminal` lets the program write to a pseudo-terminal, if there are such: for
        those that show their progress only there. Never raises for an exit code; raises
        SpinstackError if the program is not installed or the time is up.
        """
        ...


@runtime_checkable
class SideBySide(Runner, Protocol):
    """A runner that may run several programs at the same time. Those that show or record may not:
    their output has one order."""

    def apart(self) -> SideBySide:
        """A runner like it, whose programs can be stopped without stopping those of this one."""
        ...

    def stop(self) -> None:
        """End the running programs, and raise `Stopped` wherever one is started or waited for."""
        ...


class LocalRunner:
    """Runs for real, never through a shell."""

    dry = False

    def __init__(self, echo: Callable[[str], None] | None = None) -> None:
        self._echo = echo
        self._running = processes.Running()

    def apart(self) -> LocalRunner:
        return LocalRunner(self._echo)

    def stop(self) -> None:
        self._running.stop()

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
        terminal: bool = False,
    ) -> Result:
        if self._running.stopped:
            raise Stopped(f"{command.shown()}: not started")
        if self._echo:
            self._echo(command.shown())
        import shutil

        argv = command.argv()
        if shutil.which(argv[0]) is None:
            raise SpinstackError(
                f"the program {argv[0]} is not installed",
                where=command.shown(),
                remedy=f"install {argv[0]} and run the same command again",
            )
        whole_env = {**os.environ, **env} if env else None
        program = processes.Program(argv, input, cwd, whole_env, timeout)
        try:
            result = self._result(program, on_line, terminal)
        except subprocess.TimeoutExpired:
            raise SpinstackError(
                f"{argv[0]} did not finish within {timeout:.0f} s",
                where=command.shown(),
                remedy="check that the machine or the network is not stuck, then run it again",
            ) from None
        if self._running.stopped:
            raise Stopped(f"{command.shown()}: ended")
        return result

    def _result(
        self,
        program: processes.Program,
        on_line: Callable[[str], None] | None,
        terminal: bool,
    ) -> Result:
        if on_line is None:
            out, err, code = processes.collected(program, self._running)
            return Result(out, err, code)
        way = processes.streamed
        if terminal and os.name == "posix":
            way = processes.on_terminal
        out, code = way(program, self._running, on_line)
        return Result(out, "", code)


class PrintingRunner:
    """Shows what would run and runs nothing; every answer is an empty success."""

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
        terminal: bool = False,
    ) -> Result:
        self._show(f"$ {command.shown()}")
        return Result()


@dataclass
class RecordingRunner:
    """For tests: answers expected commands, refuses all others, records each call.

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
        terminal: bool = False,
    ) -> Result:
        shown = command.shown()
        self.calls.append(shown)
        self.inputs.append(input)
        for prefix in sorted(self.answers, key=len, reverse=True):
            if shown.startswith(prefix):
                answer = self.answers[prefix]
                result = answer.pop(0) if isinstance(answer, list) else answer
                if on_line:
                    for line in split_lines(result.stdout):
                        on_line(line)
                return result
        raise AssertionError(f"not expected: {shown}")


def run_in_foreground(runner: Runner, command: Command, *, cwd: Path | None = None) -> int:
    """Give the terminal to a program and wait for its end; its exit code.

    Negative for a program that a signal ended. A runner that does not really run (a dry run, a
    recording) treats it like any other command. Raises SpinstackError if it is not installed.
    """
    if not isinstance(runner, LocalRunner):
        return runner.run(command, cwd=cwd).code
    try:
        process = subprocess.Popen(command.argv(), cwd=cwd)
    except OSError as error:
        raise SpinstackError(
            f"{command.argv()[0]} can't be started: {error.strerror}",
            where=command.shown(),
            remedy="check that it is installed and on your PATH",
        ) from None
    return _end_of(process)


def _end_of(process: subprocess.Popen[bytes]) -> int:
    """Its exit code. A terminal sends Ctrl-C to the program as well as to us; elsewhere it
    reaches only us and is passed on."""
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:
            if not sys.stdin.isatty():
                process.send_signal(signal.SIGINT)
