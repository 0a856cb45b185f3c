"""One shell for all scripts of a command: what is sent how, through a real `sh` and `bash`."""

from __future__ import annotations

import os
import select
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from spinstack.errors import SpinstackError
from spinstack.transport.bash import LARGEST_FIRST, LoginBash
from spinstack.transport.command import Command, Raw, Secret
from spinstack.transport.script import Script, Step
from spinstack.transport.shell import Shell


class Pipes:
    """A channel to a program of this machine."""

    def __init__(self, command: str) -> None:
        self.written = b""
        self._program = subprocess.Popen(
            ["sh", "-c", command], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )

    def write(self, data: bytes) -> None:
        assert self._program.stdin
        self.written += data
        self._program.stdin.write(data)
        self._program.stdin.flush()

    def read(self, seconds: float) -> bytes | None:
        assert self._program.stdout
        ready, _, _ = select.select([self._program.stdout], [], [], seconds)
        return os.read(self._program.stdout.fileno(), 65536) if ready else None

    def read_error(self) -> bytes:
        return b""

    alive = True

    def close(self) -> None:
        self._program.kill()
        self._program.communicate()


class Wire:
    """Keeps what was opened and with which command."""

    def __init__(self) -> None:
        self.commands: list[str] = []
        self.channels: list[Pipes] = []

    def open(self, command: str) -> Pipes:
        self.commands.append(command)
        self.channels.append(Pipes(command))
        return self.channels[-1]


@contextmanager
def shell() -> Iterator[tuple[Shell, Wire]]:
    wire = Wire()
    made = Shell("somewhere", wire.open, LoginBash())  # type: ignore[arg-type]
    try:
        yield made, wire
    finally:
        made.close()


def said(made: Shell, *words: str | Secret) -> str:
    return made.run(Script((Step("say", (Command("echo", *words),)),))).output("say").strip()


def test_the_first_script_stands_in_the_command_and_the_next_are_sent() -> None:
    with shell() as (made, wire):
        assert said(made, "one", 'it\'s "1"') == 'one it\'s "1"'
        assert wire.channels[0].written == b""
        assert said(made, "two") == "two"
        assert b"two" in wire.channels[0].written
        assert len(wire.commands) == 1


def test_a_secret_never_stands_in_a_command() -> None:
    """Which anybody on the login node can see."""
    with shell() as (made, wire):
        assert said(made, Secret("hunter2")) == "hunter2"
        (with_secret,) = wire.commands
    with shell() as (made, wire):
        made.run(Script((Step("large", (Command("true", *_large()),)),)))
        assert wire.commands == [with_secret], "nothing but the loop"


def _large() -> list[str]:
    return [os.urandom(LARGEST_FIRST).hex()]


@pytest.mark.parametrize("first", [True, False])
def test_a_script_that_is_no_bash_is_told(first: bool) -> None:
    with shell() as (made, _):
        if not first:
            said(made, "well")
        with pytest.raises(SpinstackError):
            made.run(Script((Step("broken", (Command(Raw("if")),)),)))
        assert said(made, "again") == "again"
