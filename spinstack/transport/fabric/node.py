"""The wire `fabric`: a Fabric connection, which lasts as long as the command."""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import paramiko
from fabric import Connection

from spinstack.errors import SpinstackError
from spinstack.transport import prompt, waits
from spinstack.transport.channel import Pty
from spinstack.transport.channel_node import ChannelNode
from spinstack.transport.fabric import agent, known_hosts, ssh_config
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
    """A connection of its own for each command. `say` gets a line about a wait that takes long.

    Raises UsageError if this wire can't use the person's ssh configuration.
    """

    wire = "fabric"

    def __init__(self, destination: Destination, say: Callable[[str], None] | None = None) -> None:
        super().__init__()
        self._destination = destination
        self._say = say or (lambda _: None)
        self._connection = ssh_config.connection(destination, CONNECT_SECONDS)
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
        """At the jump hosts, if there are any, and then at the host."""
        for hop in ssh_config.hops(self._connection):
            login = self._login(hop)
            hop.connect_kwargs = {
                "auth_strategy": login,
                "auth_timeout": waits.AT_MOST,
                "banner_timeout": CONNECT_SECONDS,
                "transport_factory": partial(LoginTransport, judge=partial(self._judge, hop)),
            }
            self._trust(hop)
            self._pass(hop, login)

    def _pass(self, hop: Connection, login: fabric_login.Login) -> None:
        try:
            with self._told(hop):
                hop.open()
        except paramiko.BadHostKeyException as error:
            name, paths = self._known(hop)
            forget = known_hosts.forget(name, (*paths, *_of_all(hop)))
            raise fabric_login.changed_host_key(error, forget) from None
        except paramiko.AuthenticationException as error:
            raise self._refused(hop, login, error) from None
        except (OSError, EOFError, paramiko.SSHException) as error:
            raise self._unreachable(hop, error) from None
        transport = hop.transport
        assert transport is not None
        transport.channel_timeout = CONNECT_SECONDS
        transport.set_keepalive(KEEPALIVE_SECONDS)
        without_delay(transport)

    def _told(self, hop: Connection) -> contextlib.AbstractContextManager[None]:
        way = self._way(hop)
        return waits.told(way, self._say) if way else contextlib.nullcontext()

    def _way(self, hop: Connection) -> waits.Wait | None:
        """For the part of the way to the host that ends at the hop."""
        host = self._destination.host
        if hop is not self._connection:
            return waits.for_jump(host, hop.original_host)
        if isinstance(hop.gateway, Connection):
            return waits.for_jump(host, hop.gateway.original_host)
        return waits.for_proxy_command(self._destination) if hop.gateway else None

    def _known(self, hop: Connection) -> tuple[str, list[Path]]:
        """The hop's name in known hosts files, and these; accepted keys go to the last."""
        own = self._destination.known_hosts_file or Path("~/.ssh/known_hosts")
        names = hop.ssh_config.get("userknownhostsfile", "").split()
        names = ["~/.ssh/known_hosts", *names, str(own)]
        paths = [Path(os.path.expanduser(name)) for name in names]  # noqa: PTH111 - any text
        alias = hop.ssh_config.get("hostkeyalias", "")
        return known_hosts.name_of(hop.host, hop.port, alias), paths

    def _trust(self, hop: Connection) -> None:
        name, paths = self._known(hop)
        client = hop.client
        own = known_hosts.name_of(hop.host, hop.port)
        for kind, key in known_hosts.keys(name, (*paths, *_of_all(hop))).items():
            # Paramiko knows no alias.
            client.get_host_keys().add(own, kind, key)
        ask = input if sys.stdin.isatty() else None
        client.set_missing_host_key_policy(fabric_login.AskAboutUnknownHost(name, paths[-1], ask))

    def _judge(self, hop: Connection, key: paramiko.PKey) -> None:
        """Raises SpinstackError for a revoked host key."""
        name, own = self._known(hop)
        paths = (*own, *_of_all(hop))
        at = known_hosts.revoked(key, name, paths)
        if at:
            raise fabric_login.revoked_host_key(name, key, at)
        if known_hosts.has(key, name, paths):
            # Paramiko compares it with a single one of its type, which is now this one.
            here = known_hosts.name_of(hop.host, hop.port)
            hop.client.get_host_keys().add(here, key.get_name(), key)

    def _login(self, hop: Connection) -> fabric_login.Login:
        destination = self._destination
        from_config = hop.ssh_config.get("identityfile", [])
        answers = destination.login_answer_file
        ask: prompt.Prompt = prompt.ask_on_terminal
        if answers and not destination.practise:
            ask = prompt.answers_from(answers.expanduser())
        only = hop.ssh_config.get("identitiesonly", "no").lower() == "yes"
        path = "" if only else waits.agent_at(hop.ssh_config.get("identityagent"))
        files = fabric_login.identity_files(destination.identity_file, from_config, Path.home())
        keys = partial(agent.keys, path, hop.original_host, self._say)
        return fabric_login.Login(hop.user, identity_files=files, agent=keys, ask=ask)

    def _refused(
        self, hop: Connection, login: fabric_login.Login, error: paramiko.AuthenticationException
    ) -> SpinstackError:
        name = self.name if hop is self._connection else f"{hop.user}@{hop.original_host}"
        if login.outdated:
            return SpinstackError(login.outdated, where=name, remedy=prompt.RENEW)
        if "timeout" in str(error):
            wait = waits.for_answer if login.prompted else waits.for_host
            return wait(name, f"{hop.host}, port {hop.port}").error()
        return SpinstackError(
            f"{name} refused the login: {error}",
            where="; ".join(login.notes) or name,
            remedy=prompt.ONCE,
        )

    def _unreachable(self, hop: Connection, error: Exception) -> SpinstackError:
        where = f"{hop.host}, port {hop.port}"
        transport = hop.client.get_transport()
        if str(error) in _STUCK and transport and transport.remote_version:
            return waits.for_host(f"{hop.user}@{hop.original_host}", where).error()
        way = self._way(hop)
        if way:
            made = way.error(_reason(error))
            made.where += f" ({where})"
            return made
        return SpinstackError(
            f"the login node {hop.host} can't be reached: {_reason(error)}",
            where=where,
            remedy=self._destination.when_unreachable,
        )

    def close(self) -> None:
        super().close()
        with contextlib.suppress(Exception):
            self._connection.close()


# What paramiko says if the other end is silent before the login.
_STUCK = ("No existing session", "Key-exchange timed out waiting for key negotiation")


def _reason(error: Exception) -> str:
    if isinstance(error, socket.gaierror):
        return "its name can't be resolved"
    if isinstance(error, TimeoutError) or str(error) in _STUCK:
        return f"no answer within {CONNECT_SECONDS} s"
    if isinstance(error, paramiko.ProxyCommandFailure):
        return str(error.error)  # without the command, which may hold a password
    if isinstance(error, paramiko.ChannelException):
        return error.text
    return str(error) or type(error).__name__


def _of_all(hop: Connection) -> tuple[Path, ...]:
    return known_hosts.of_all(hop.ssh_config.get("globalknownhostsfile", ""))
