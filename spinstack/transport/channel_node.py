"""A login node over channels: what all wires have in common. A wire only opens channels."""

from __future__ import annotations

import os
import secrets
import time
from abc import ABC, abstractmethod
from contextlib import closing

from spinstack.errors import SpinstackError
from spinstack.text import encoded
from spinstack.transport import relay as transport_relay
from spinstack.transport.bash import Bash, LoginBash
from spinstack.transport.channel import Channel, Pty, Stream
from spinstack.transport.command import Command
from spinstack.transport.login_node import (
    Answer,
    ConnectionLost,
    OnBegin,
    OnLine,
    OnSent,
    SessionRefused,
)
from spinstack.transport.runner import Result
from spinstack.transport.script import Script, ScriptResult
from spinstack.transport.shell import Shell

# Silence after which a program that has printed something is assumed to wait for an answer.
ASKS_SECONDS = 0.5
# How long to wait before each new request for a session that was refused; seconds.
PAUSES = (0.1, 0.3, 1.0)


class ChannelNode(ABC):
    """Logs in when something runs for the first time, and not again."""

    dry = False
    name = ""
    # As the setting names it.
    wire = ""
    bash: Bash = LoginBash()
    # What to do if a command of a person can't be prepared.
    unprepared = "check that the modules in the setting `modules` can be loaded there"

    def __init__(self) -> None:
        self._shell: Shell | None = None

    @abstractmethod
    def _open_channel(self, command: str, pty: Pty | None = None) -> Channel:
        """Run a command of `bash` in a session of its own.

        Raises SpinstackError if the login fails, ConnectionLost if it worked before.
        """

    @abstractmethod
    def open(self) -> None:
        """As `LoginNode.open`: the login alone."""

    def _its_shell(self) -> Shell:
        if self._shell is None:
            self._shell = Shell(self.name, self._session, self.bash)
        return self._shell

    def run(
        self,
        script: Script,
        *,
        on_begin: OnBegin | None = None,
        on_line: OnLine | None = None,
        on_sent: OnSent | None = None,
    ) -> ScriptResult:
        shell = self._its_shell()
        return shell.run(script, on_begin=on_begin, on_line=on_line, on_sent=on_sent)

    def _session(self, command: str, pty: Pty | None = None) -> Channel:
        """A session beside the shell's; in its place if the other end allows only one, or still
        counts one that has just ended."""
        for pause in PAUSES:
            try:
                return self._open_channel(command, pty)
            except SessionRefused:
                if self._shell:
                    self._shell.close()
                time.sleep(pause)
        return self._open_channel(command, pty)

    def converse(self, command: Command, answer: Answer, *, seconds: float = 60) -> Result:
        """Each time the program has printed something and then waits, its last line is passed to
        `answer` once."""
        words = self.bash.unasked(command.script())
        with closing(self._session(words, Pty("dumb", 200, 24))) as channel:
            deadline = time.monotonic() + seconds
            output, asked = "", ""
            while time.monotonic() < deadline:
                data = channel.read(ASKS_SECONDS)
                if data is None:
                    prompt = output.rsplit("\n", 1)[-1].strip()
                    if prompt and output != asked:
                        asked = output
                        _reply(channel, answer(prompt))
                elif data:
                    output += data.decode("utf-8", "replace").replace("\r\n", "\n")
                else:
                    return Result(output, "", self._code(channel))
        raise SpinstackError(
            f"{command.shown()} did not finish within {seconds:.0f} s",
            where=self.name,
            remedy=f"run it by hand on {self.name}",
        )

    def _code(self, channel: Channel) -> int:
        code = channel.exit_code(transport_relay.DRAIN_SECONDS)
        if code is None:
            raise self._lost_in_command()
        return code

    def interact(
        self,
        prepare: Command,
        command: Command,
        *,
        terminal: bool,
        input: bytes = b"",
        stream: Stream | None = None,
    ) -> int:
        mark = f"spinstack-{secrets.token_hex(8)}"
        text = transport_relay.script(prepare, command, mark, terminal=terminal)
        words = self.bash.for_person(text) if terminal else self.bash.unasked(text)
        pty = (
            Pty(os.environ.get("TERM") or "xterm", *transport_relay.window()) if terminal else None
        )
        with closing(self._session(words, pty)) as channel:
            relay = transport_relay.Relay(channel, mark.encode(), input, stream)
            code = relay.on_terminal() if terminal else relay.plain()
            if relay.left:
                raise SpinstackError(
                    "left the command; it may still be running",
                    where=self.name,
                    remedy="run `invoke restart` to end what runs in a container",
                )
            if code is None and relay.stuck:
                raise SpinstackError(
                    f"the input of the command broke off: {relay.stuck.strerror or relay.stuck}",
                    where=self.name,
                    remedy="check what it is read from, then run it again",
                )
            if code is None:
                raise self._lost_in_command()
            if not relay.begun:
                raise SpinstackError(
                    f"the command could not be started on {self.name}",
                    where=self.name,
                    remedy=self.unprepared,
                    details=relay.before,
                )
            return code

    def _lost_in_command(self) -> ConnectionLost:
        return ConnectionLost(
            f"{self.bash.lost(self.name)} while a command was running",
            where=self.name,
            remedy="see `invoke status`, then run it again",
        )

    def _lost(self) -> ConnectionLost:
        """The connection was lost between two commands; no new one is made."""
        return ConnectionLost(
            f"the connection to {self.name} was lost",
            where=self.name,
            remedy="run the same command again; every step can be repeated",
        )

    def close(self) -> None:
        if self._shell:
            self._shell.close()


def _reply(channel: Channel, reply: str | None) -> None:
    if reply is None:
        return
    try:
        channel.write(encoded(reply) + b"\n")
    except OSError:  # it has ended meanwhile: the next read says how
        return
