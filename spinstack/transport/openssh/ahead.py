"""Answers of `ssh` that a login will need, asked for while this process still loads what it needs
itself: each call takes ssh some ten milliseconds."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from spinstack.config.settings import Destination

_asked: dict[tuple[str, ...], subprocess.Popen[bytes]] = {}


def version(program: str) -> list[str]:
    """The command that prints the version of an `ssh`."""
    return [program, "-V"]


def configuration(destination: Destination) -> list[str]:
    """The command that prints the person's configuration for a host."""
    account = ["-l", destination.user] if destination.user else []
    return ["ssh", "-G", *account, "--", destination.host]


def ask(words: Sequence[str]) -> None:
    """Start a program whose answer `answer` will be asked for. One that can't be started is left
    to `answer`."""
    with contextlib.suppress(OSError):
        _asked[tuple(words)] = _start(words)


def answer(words: Sequence[str]) -> tuple[bytes, bytes]:
    """What a program prints, by output and errors; it is started now if nobody has asked it ahead.
    Raises OSError, or subprocess.TimeoutExpired."""
    process = _asked.pop(tuple(words), None) or _start(words)
    try:
        return process.communicate(timeout=20)
    except BaseException:
        process.kill()
        process.wait()
        raise


def _start(words: Sequence[str]) -> subprocess.Popen[bytes]:
    pipe = subprocess.PIPE
    return subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe)
