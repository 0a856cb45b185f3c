"""The wire `fabric`: a Fabric connection, which lasts as long as the command."""

from __future__ import annotations

import contextlib
import logging
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import paramiko
from fabric import Config, Connection

from spinstack.errors import SpinstackError
from spinstack.transport import prompt
from spinstack.transport.channel import Pty
from spinstack.transport.channel_node import ChannelNode
from spinstack.transport.fabric import login as fabric_login
from spinstack.transport.fabric.channel import FabricChannel, without_delay
from spinstack.transport.fabric.paramiko_transport import LoginTransport
from spinstack.transport.login_node import SessionRefused

if TYPE_CHECKING:
    from spinstack.config.settings import Destination

CONNECT_SECONDS = 30
# Failures become errors of ours; Python would print paramiko's log as well.
logging.getLogger("paramiko").addHandler(logging.NullHandler())

# Silence on the wire after which a keepalive is sent; seconds.
KEEPALIVE_SECONDS = 15


class FabricLoginNode(ChannelNode):
    """A connection of its own for each command."""

    wire = "fabric"

    def __init__(self, destination: Destination) -> None:
        super().__init__()
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

    def open(self) -> None:
        self._transport()

    def _open_channel(self, command: str, pty: Pty | None = None) -> FabricChannel:
        transport = self._transport()
        try:
            return FabricChannel(transport, command, pty)
        except (paramiko.SSHException, OSError, EOFError) as error:
            raise SessionRefused(
                f"{self.name} refused another session: {error or 'connection closed'}",
                where=self.name,
                remedy="run the same command again",
            ) from None

    def _transport(self) -> paramiko.Transport:
        """The connection, made by the first command."""
        if self._connection.transport is None:
            self._log_in()
        transport: paramiko.Transport | None = self._connection.transport
        if transport is None or not transport.is_active():
            raise self._lost()
        return transport

    def _log_in(self) -> None:
        login = self._prepare()
        try:
            self._connection.open()
        except paramiko.BadHostKeyException as error:
            raise fabric_login.changed_host_key(error) from None
        except paramiko.AuthenticationException as error:
            raise self._refused(login, error) from None
        except (OSError, EOFError, paramiko.SSHException) as error:
            raise self._unreachable(error) from None
        transport = self._connection.transport
        assert transport is not None
        transport.set_keepalive(KEEPALIVE_SECONDS)
        without_delay(transport)

    def _prepare(self) -> fabric_login.Login:
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
        client.set_missing_host_key_policy(fabric_login.AskAboutUnknownHost(known_hosts, ask))

    def _login(self, hop: Connection) -> fabric_login.Login:
        destination = self._destination
        from_config = hop.ssh_config.get("identityfile", [])
        answers = destination.login_answer_file
        ask: prompt.Prompt = prompt.ask_on_terminal
        if answers and not destination.practise:
            ask = prompt.answers_from(answers.expanduser())
        only = hop.ssh_config.get("identitiesonly", "no").lower() == "yes"
        files = fabric_login.identity_files(destination.identity_file, from_config, Path.home())
        return fabric_login.Login(hop.user, identity_files=files, agent=not only, ask=ask)

    def _refused(
        self, login: fabric_login.Login, error: paramiko.AuthenticationException
    ) -> SpinstackError:
        if login.outdated:
            return SpinstackError(login.outdated, where=self.name, remedy=prompt.RENEW)
        return SpinstackError(
            f"{self.name} refused the login: {error}",
            where="; ".join(login.notes) or self.name,
            remedy=prompt.ONCE,
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
        super().close()
        with contextlib.suppress(Exception):
            self._connection.close()
