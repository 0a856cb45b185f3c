"""A bash where scripts run that gets script after script, all in one session."""

from __future__ import annotations

import codecs
import secrets
import time
from collections.abc import Callable, Iterator

from spinstack.errors import SpinstackError
from spinstack.text import encoded
from spinstack.transport.bash import Bash
from spinstack.transport.channel import Channel
from spinstack.transport.command import Secret
from spinstack.transport.login_node import ConnectionLost, OnBegin, OnLine, OnSent
from spinstack.transport.script import Script, ScriptResult, Transcript

# More than any step prints; a program that prints forever is stopped here.
OUTPUT_LIMIT = 8_000_000
# Bytes that are sent, and reported, at a time.
PIECE = 65536
# How many bytes are kept of the output of a shell that did not reach the first step.
LAST_WORDS = 1000
# How often a silent connection is checked; seconds.
LOOK_SECONDS = 1.0


class Shell:
    """`open_channel` starts a command in a session of its own on the connection."""

    def __init__(self, name: str, open_channel: Callable[[str], Channel], bash: Bash) -> None:
        self._name = name
        self._open_channel = open_channel
        self._bash = bash
        self._channel: Channel | None = None

    def run(
        self,
        script: Script,
        *,
        on_begin: OnBegin | None = None,
        on_line: OnLine | None = None,
        on_sent: OnSent | None = None,
    ) -> ScriptResult:
        """As `LoginNode.run`. A script that is left or cut off ends the shell; the next one gets a
        new shell."""
        run = _Run(self._name, self._bash, script, on_begin, on_line)
        first = b"" if self._is_there() else run.packed()
        channel = self._channel or self._open_channel(self._bash.loop(first))
        self._channel = channel
        finished = False
        try:
            if not first:
                run.send(channel, on_sent)
            finished = run.read(channel)
        finally:
            if not finished or script.endless:
                self.close()
        return run.result()

    def _is_there(self) -> bool:
        """Whether the previous script's shell waits for another one."""
        if self._channel is not None and not _is_idle(self._channel):
            self.close()
        return self._channel is not None

    def close(self) -> None:
        """Give up the shell; what it runs may continue."""
        channel, self._channel = self._channel, None
        if channel is not None:
            channel.close()


def _is_idle(channel: Channel) -> bool:
    """Whether it waits for a script. Leftovers of the last one are skipped."""
    while (data := channel.read(0)) is not None:
        if not data:
            return False
    return True


class _Run:
    """One script on its way through a shell."""

    def __init__(
        self,
        name: str,
        bash: Bash,
        script: Script,
        on_begin: OnBegin | None,
        on_line: OnLine | None,
    ) -> None:
        self._name = name
        self._bash = bash
        self._script = script
        self._mark = f"spinstack-{secrets.token_hex(8)}"
        self._left = False
        self._unsent = ""
        # What came before the first step: the shell's last output, if it does not get there.
        self._before = b""
        self._on_line = on_line
        line = self._line if on_line else None
        self._transcript = Transcript(script, self._mark, on_begin=on_begin, on_line=line)

    def packed(self) -> bytes:
        """The script in a form that may be part of a command, which others can see; empty if it
        contains a secret or is too long."""
        words = (word for step in self._script.steps for one in step.commands for word in one.words)
        if any(isinstance(word, Secret) for word in words):
            return b""
        return self._bash.packed(encoded(self._script.text(self._mark)))

    def send(self, channel: Channel, on_sent: OnSent | None) -> None:
        """As the shell's loop reads it. If it can't be sent, the output may say why."""
        data = self._bash.framed(encoded(self._script.text(self._mark)))
        try:
            for begin in range(0, len(data), PIECE):
                channel.write(data[begin : begin + PIECE])
                if on_sent:
                    on_sent(min(begin + PIECE, len(data)), len(data))
        except OSError as error:
            self._unsent = str(error) or type(error).__name__

    def _line(self, step: str, text: str) -> None:
        if self._on_line and not self._left:
            self._left = self._on_line(step, text)

    def read(self, channel: Channel) -> bool:
        """Take in the output up to the script's end; whether the shell waits for another."""
        for piece in self._pieces(channel):
            self._transcript.feed(piece)
            if self._left or self._transcript.over:
                break
        return self._transcript.over and not self._left

    def result(self) -> ScriptResult:
        """Raises ConnectionLost unless it reached its end or was left."""
        transcript = self._transcript
        if transcript.result.complete or self._left:
            return transcript.result
        what = f"{self._bash.lost(self._name)} {self._where()}"
        if transcript.over:
            what = f"the shell on {self._name} was ended in the step {transcript.unfinished!r}"
        remedy = "run the same command again; every step can be repeated"
        if self._unsent:
            what = f"{what}: {self._unsent}"
            remedy = "run the same command again; nothing of it has run"
        raise ConnectionLost(what, where=self._name, remedy=remedy, details=self._last_words())

    def _where(self) -> str:
        steps = self._transcript.result.steps
        if self._transcript.unfinished:
            return f"during the step {self._transcript.unfinished!r}"
        return f"after the step {steps[-1].name!r}" if steps else "before the first step"

    def _last_words(self) -> str:
        return "" if self._transcript.result.steps else self._before.decode("utf-8", "replace")

    def _pieces(self, channel: Channel) -> Iterator[str]:
        """The output as it comes, until it ends, the time limit or the size limit."""
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        deadline = time.monotonic() + self._script.seconds
        size = 0
        while True:
            left = deadline - time.monotonic()
            data = channel.read(max(0.0, min(LOOK_SECONDS, left)))
            self._keep(channel.read_error())
            if data == b"":
                return
            if data:
                size += len(data)
                self._keep(data)
                yield decoder.decode(data)
            elif left <= 0:
                raise self._too_long()
            elif not channel.alive:
                return
            if time.monotonic() > deadline:
                raise self._too_long()
            if size > OUTPUT_LIMIT and not self._script.endless:
                raise self._too_much()

    def _keep(self, data: bytes) -> None:
        if data and not self._transcript.result.steps:
            self._before = (self._before + data)[-LAST_WORDS:]

    def _too_long(self) -> SpinstackError:
        step = self._transcript.unfinished or "start a shell"
        return SpinstackError(
            f"the step {step!r} did not finish within {self._script.seconds:.0f} s",
            where=self._name,
            remedy="see `invoke status`, then run it again; every step can be repeated",
            details=self._last_words(),
        )

    def _too_much(self) -> SpinstackError:
        steps = self._transcript.result.steps
        return SpinstackError(
            f"the output of the step {self._transcript.unfinished!r} on {self._name} does not end",
            where=(steps[-1].output[-300:] if steps else "") or self._name,
            remedy="run the step's commands by hand; --dry shows them",
        )
