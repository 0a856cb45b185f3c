"""The real login node: Fabric's connection, one script a channel."""

from __future__ import annotations

import base64
import codecs
import contextlib
import os
import secrets
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import paramiko
from fabric import Config, Connection

from spinstack import login_prompt, relaying, ssh_login
from spinstack.command import Command
from spinstack.errors import SpinstackError
from spinstack.login_node import Answer, ConnectionLost, OnBegin, OnLine
from spinstack.runner import Result
from spinstack.script import Script, ScriptResult, Transcript
from spinstack.ssh_transport import LoginTransport

if TYPE_CHECKING:
    from spinstack.settings import Destination

CONNECT_SECONDS = 30
# Silence on the wire after which the connection is asked whether it is alive.
KEEPALIVE_SECONDS = 15
# More than any step prints; a program that prints for ever is stopped here.
OUTPUT_LIMIT = 8_000_000


class FabricLoginNode:
    """Logs in when the first script runs, and not again."""

    dry = False

    def __init__(self, destination: Destination) -> None:
        self._destination = destination
        config = Config()
        self._connection = Connection(
            destination.host,
            user=destination.user or None,
            port=destination.port,
            connect_timeout=CONNECT_SECONDS,
            config=config,
        )
        self.name = f"{self._connection.user}@{destination.host}"

    def run(
        self, script: Script, *, on_begin: OnBegin | None = None, on_line: OnLine | None = None
    ) -> ScriptResult:
        mark = f"spinstack-{secrets.token_hex(8)}"
        stopped = False

        def line(step: str, text: str) -> None:
            nonlocal stopped
            if on_line and not stopped:
                stopped = on_line(step, text)

        transcript = Transcript(script, mark, on_begin=on_begin, on_line=line)
        with self._channel() as channel:
            channel.exec_command("exec bash -l")
            self._send(channel, script.text(mark).encode())
            if not script.endless:
                channel.shutdown_write()
            for piece in self._pieces(channel, script, transcript):
                transcript.feed(piece)
                if stopped:
                    return transcript.result
        if not transcript.result.complete:
            raise self._lost(transcript)
        return transcript.result

    def _send(self, channel: paramiko.Channel, data: bytes) -> None:
        channel.settimeout(60)
        try:
            channel.sendall(data)
        except (OSError, paramiko.SSHException) as error:
            raise ConnectionLost(
                f"the connection to {self.name} ended while a script was sent: {error}",
                remedy="nothing of it has run; run the same command again",
            ) from None

    def _pieces(
        self, channel: paramiko.Channel, script: Script, transcript: Transcript
    ) -> Iterator[str]:
        """The output as it comes, until the end, the time limit or the size limit."""
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        deadline = time.monotonic() + script.seconds
        size = 0
        channel.settimeout(1.0)
        while True:
            try:
                data = channel.recv(65536)
            except TimeoutError:
                data = None
            except OSError:
                return
            if data == b"":
                return
            if data:
                size += len(data)
                yield decoder.decode(data)
            if time.monotonic() > deadline:
                raise self._too_long(transcript, script.seconds)
            if size > OUTPUT_LIMIT and not script.endless:
                raise SpinstackError(
                    f"the step {transcript.unfinished!r} prints without end on {self.name}",
                    where=transcript.result.steps[-1].output[-300:] or "login node",
                    remedy="look at the step by hand: --dry shows the commands",
                )
            if data is None and not self._alive():
                return

    def _alive(self) -> bool:
        transport = self._connection.transport
        return transport is not None and bool(transport.is_active())

    def _too_long(self, transcript: Transcript, seconds: float) -> SpinstackError:
        step = transcript.unfinished or "logging in to a shell"
        return SpinstackError(
            f"the step {step!r} did not finish within {seconds:.0f} s",
            where=self.name,
            remedy="see `invoke status`, then run it again: every step may be repeated",
        )

    def _lost(self, transcript: Transcript) -> ConnectionLost:
        step = transcript.unfinished
        at = f"during the step {step!r}" if step else "before the first step"
        return ConnectionLost(
            f"the connection to {self.name} was lost {at}",
            where=self.name,
            remedy="run the same command again: every step may be repeated",
        )

    def converse(self, command: Command, answer: Answer, *, seconds: float = 60) -> Result:
        """Each time the program has printed something and then waits, its last line is put
        to `answer` once."""
        with self._channel() as channel:
            channel.get_pty("dumb", width=200)
            channel.exec_command(Command("bash", "-l", "-c", command.script()).script())
            channel.settimeout(0.5)
            deadline = time.monotonic() + seconds
            output, asked = "", ""
            while time.monotonic() < deadline:
                try:
                    data = channel.recv(4096)
                except TimeoutError:
                    prompt = output.rsplit("\n", 1)[-1].strip()
                    if prompt and output != asked:
                        asked = output
                        reply = answer(prompt)
                        if reply is not None:
                            channel.sendall(reply.encode() + b"\n")
                    continue
                if not data:
                    return Result(output, "", channel.recv_exit_status())
                output += data.decode("utf-8", "replace").replace("\r\n", "\n")
        raise SpinstackError(
            f"{command.shown()} did not finish within {seconds:.0f} s",
            where=self.name,
            remedy="run it by hand on the login node",
        )

    def interact(
        self, prepare: Command, command: Command, *, terminal: bool, input: bytes = b""
    ) -> int:
        """The shell is told what to do in base64: the login shell that reads it first may be
        csh, which takes exclamation marks and newlines for its own even in quotes."""
        mark = f"spinstack-{secrets.token_hex(8)}"
        text = relaying.script(prepare, command, mark, terminal=terminal)
        script = base64.b64encode(text.encode()).decode()
        with self._channel() as channel:
            if terminal:
                columns, rows = relaying.window()
                channel.get_pty(os.environ.get("TERM") or "xterm", columns, rows)
            channel.exec_command(f"exec bash -l -c 'eval \"$(printf %s {script} | base64 -d)\"'")
            if input:
                self._send(channel, input)
            relay = relaying.Relay(channel, mark.encode(), self._alive)
            code = relay.on_terminal() if terminal else relay.plain()
            if relay.left:
                raise SpinstackError(
                    "left the command: it may still run there",
                    where=self.name,
                    remedy="`invoke restart` ends what runs in a container",
                )
            if code is None:
                raise ConnectionLost(
                    f"the connection to {self.name} was lost while a command ran there",
                    where=self.name,
                    remedy="see `invoke status`, then run it again",
                )
            if not relay.begun:
                raise SpinstackError(
                    "the command could not be started on the login node",
                    where=self.name,
                    remedy="see whether the modules of the setting `modules` can be loaded there",
                    details=relay.before,
                )
            return code

    @contextlib.contextmanager
    def _channel(self) -> Iterator[paramiko.Channel]:
        self._open()
        transport = self._connection.transport
        assert transport is not None
        try:
            channel = transport.open_session(timeout=CONNECT_SECONDS)
        except (paramiko.SSHException, OSError, EOFError) as error:
            raise ConnectionLost(
                f"{self.name} refused another session: {error or 'connection closed'}",
                where=self.name,
                remedy="run the same command again",
            ) from None
        try:
            yield channel
        finally:
            channel.close()

    def _open(self) -> None:
        if self._connection.transport is not None:
            if self._alive():
                return
            raise ConnectionLost(
                f"the connection to {self.name} was lost",
                where=self.name,
                remedy="run the same command again: every step may be repeated",
            )
        login = self._prepare()
        try:
            self._connection.open()
        except paramiko.BadHostKeyException as error:
            raise ssh_login.changed_host_key(error) from None
        except paramiko.AuthenticationException as error:
            raise self._refused(login, error) from None
        except (OSError, EOFError, paramiko.SSHException) as error:
            raise self._unreachable(error) from None
        transport = self._connection.transport
        assert transport is not None
        transport.set_keepalive(KEEPALIVE_SECONDS)

    def _prepare(self) -> ssh_login.Login:
        """Host keys and ways to log in, for the host and any jump hosts before it."""
        connection, destination = self._connection, self._destination
        known_hosts = destination.known_hosts_file or Path("~/.ssh/known_hosts")
        hop = connection
        while isinstance(hop, Connection):
            self._trust(hop, known_hosts.expanduser())
            login = self._login(hop)
            hop.connect_kwargs = {
                "auth_strategy": login,
                "banner_timeout": CONNECT_SECONDS,
                "transport_factory": LoginTransport,
            }
            if hop is connection:
                own = login
            hop = hop.gateway
        return own

    def _trust(self, hop: Connection, known_hosts: Path) -> None:
        client = hop.client
        client.load_system_host_keys()
        names = hop.ssh_config.get("userknownhostsfile", "").split()
        for path in [*(Path(name).expanduser() for name in names), known_hosts]:
            if path.exists():
                client.load_system_host_keys(str(path))
        ask = input if sys.stdin.isatty() else None
        client.set_missing_host_key_policy(ssh_login.AskAboutUnknownHost(known_hosts, ask))

    def _login(self, hop: Connection) -> ssh_login.Login:
        destination = self._destination
        from_config = hop.ssh_config.get("identityfile", [])
        answers = destination.login_answer_file
        ask: login_prompt.Prompt = login_prompt.ask_on_terminal
        if answers and not destination.practise:
            ask = login_prompt.answers_from(answers.expanduser())
        only = hop.ssh_config.get("identitiesonly", "no").lower() == "yes"
        files = ssh_login.identity_files(destination.identity_file, from_config, Path.home())
        return ssh_login.Login(hop.user, identity_files=files, agent=not only, ask=ask)

    def _refused(
        self, login: ssh_login.Login, error: paramiko.AuthenticationException
    ) -> SpinstackError:
        if login.outdated:
            return SpinstackError(login.outdated, where=self.name, remedy=login_prompt.RENEW)
        return SpinstackError(
            f"{self.name} refused the login: {error}",
            where="; ".join(login.notes) or self.name,
            remedy=login_prompt.ONCE,
        )

    def _unreachable(self, error: Exception) -> SpinstackError:
        reason = str(error) or type(error).__name__
        if isinstance(error, socket.gaierror):
            reason = "its name can't be resolved"
        elif isinstance(error, TimeoutError):
            reason = f"no answer within {CONNECT_SECONDS} s"
        return SpinstackError(
            f"the login node {self._connection.host} can't be reached: {reason}",
            where=f"{self._connection.host}, port {self._connection.port}",
            remedy=self._destination.when_unreachable,
        )

    def close(self) -> None:
        with contextlib.suppress(Exception):
            self._connection.close()
