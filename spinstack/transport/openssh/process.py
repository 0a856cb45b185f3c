"""`ssh` while it logs in: what it prints, how far it got, and when it is given up."""

from __future__ import annotations

import contextlib
import os
import pty
import subprocess
import sys
import time
import tty
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from spinstack.transport import waiting, waits
from spinstack.transport.openssh.progress import Progress, Stage
from spinstack.transport.waits import Wait


@dataclass(frozen=True)
class Ended:
    """How ssh ended: its exit code, what it printed, and, if it was given up, what it waited
    for until then."""

    code: int
    said: str
    in_vain: Wait | None = None


@dataclass(frozen=True)
class Running:
    """ssh on its way, and the descriptor of what it prints."""

    process: subprocess.Popen[bytes]
    said: int


@contextlib.contextmanager
def started(
    words: list[str], environment: Mapping[str, str] | None, *, person: bool
) -> Iterator[Running]:
    """Start ssh; it is killed at the end if it has not gone to the background by then. `person`:
    it may ask on the terminal."""
    seen = person and sys.stderr.isatty()
    ours, its = pty.openpty() if seen else os.pipe()
    if seen:
        # Adds nothing to the ends of lines, which ssh writes as a terminal needs them.
        tty.setraw(its)
    with open(ours, "rb", buffering=0) as said:  # noqa: PTH123
        process = subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=its,
            env=environment,
            # Without a terminal on which it could ask, or whose Ctrl-C would reach it.
            start_new_session=not person,
        )
        os.close(its)
        try:
            yield Running(process, said.fileno())
        finally:
            _end(process)


def watched(
    ssh: Running,
    *,
    person: bool,
    wait: Callable[[Stage], Wait | None],
    say: Callable[[str], None],
) -> Ended:
    """Wait until ssh has gone to the background. A person sees what it prints as it comes: even
    a prompt to touch a FIDO key, which ssh writes only to a terminal. What it lets through of a
    banner can't move the terminal.

    `wait`: what a stage waits for, None if ssh itself gives it up; `say` gets a line about a wait
    that takes long.
    """
    watch = _Watch(wait, say, at_terminal=person and sys.stdin.isatty())
    text, in_vain = _listen(ssh.process, ssh.said, watch, show=person)
    _end(ssh.process)
    return Ended(ssh.process.returncode, text, in_vain)


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.kill()
    process.wait()


class _Watch:
    """Tells what a login waits for, and for how long it may. Each stage has its own time."""

    def __init__(
        self,
        wait: Callable[[Stage], Wait | None],
        say: Callable[[str], None],
        *,
        at_terminal: bool,
    ) -> None:
        self._wait, self._say, self._at_terminal = wait, say, at_terminal
        self._begin(Stage.START)

    def _begin(self, stage: Stage) -> None:
        self._stage, self._since = stage, time.monotonic()
        # What is waited for; looked up only when it has to be told.
        self._waits: Wait | None = None
        self._told = False

    def look(self, stage: Stage) -> Wait | None:
        """What was waited for too long, if anything was."""
        if stage != self._stage:
            self._begin(stage)
        passed = time.monotonic() - self._since
        if passed > waits.TOLD_AFTER and not self._told:
            self._told, self._waits = True, self._wait(stage)
            # Whoever is asked at a terminal sees the question.
            asked = self._at_terminal and stage in (Stage.QUESTION, Stage.ANSWER)
            if self._waits and not asked:
                self._say(self._waits.told)
        found = self._waits
        if found is None or passed < waits.AT_MOST or (found.personal and self._at_terminal):
            return None
        return found


def _listen(
    process: subprocess.Popen[bytes], said: int, watch: _Watch, *, show: bool
) -> tuple[str, Wait | None]:
    """What ssh prints until its first process ends, and what it waited for in vain. Not until the
    end of the file: the master may keep that open (before OpenSSH 8.7)."""
    from spinstack.transport.relay import Foreign

    progress, foreign, whole = Progress(), Foreign(), b""
    with _told_of_its_end(process) as end:
        while True:
            ended = process.poll() is not None
            ready = waiting.readable([said, *end], 0 if ended else 0.05)
            data = _read(said) if said in ready else b""
            text = progress.feed(data)
            whole += text
            in_vain = None if ended else watch.look(progress.stage)
            # A master without a socket that could be used would continue.
            over = (ended and not data) or in_vain or b"disabling multiplexing" in whole
            if show:
                sys.stderr.buffer.write(foreign.harmless(text, last=bool(over)))
                sys.stderr.flush()
            if over:
                return whole.decode("utf-8", "replace"), in_vain
            if said in ready and not data:
                process.wait()


@contextlib.contextmanager
def _told_of_its_end(process: subprocess.Popen[bytes]) -> Iterator[list[int]]:
    """A descriptor that is readable as soon as the process has ended; none if the system has no
    such thing."""
    if not hasattr(os, "pidfd_open"):
        yield []
        return
    end = os.pidfd_open(process.pid)
    try:
        yield [end]
    finally:
        os.close(end)


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 65536)
    except OSError:  # the other end of a terminal was closed
        return b""
