"""Programs that a person talks to: they get the terminal, and Ctrl-C is theirs."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

from spinstack.command import Command
from spinstack.errors import SpinstackError
from spinstack.runner import LocalRunner, Runner


def run(runner: Runner, command: Command, *, cwd: Path | None = None) -> int:
    """Hand the terminal to a program and wait for its end; its exit code.

    Negative for a program that a signal ended. A runner that does not really run (a dry run,
    a recording) takes it as any other command. Raises SpinstackError if it is not installed.
    """
    if not isinstance(runner, LocalRunner):
        return runner.run(command, cwd=cwd).code
    try:
        process = subprocess.Popen(command.argv(), cwd=cwd)
    except OSError as error:
        raise SpinstackError(
            f"{command.argv()[0]} can't be started: {error.strerror}",
            where=command.shown(),
            remedy="is it installed, and on your PATH?",
        ) from None
    return _end_of(process)


def _end_of(process: subprocess.Popen[bytes]) -> int:
    """Its exit code. A terminal sends Ctrl-C to the program as well as to us; elsewhere it
    reaches us alone and is handed on."""
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:
            if not sys.stdin.isatty():
                process.send_signal(signal.SIGINT)
