"""The wire `openssh`: sessions on a login that outlives the command."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from spinstack.transport.channel import Pty
from spinstack.transport.channel_node import ChannelNode
from spinstack.transport.login_node import ConnectionLost, SessionRefused
from spinstack.transport.openssh import mux
from spinstack.transport.openssh.channel import OpenSSHChannel
from spinstack.transport.openssh.master import Master

if TYPE_CHECKING:
    from spinstack.config.settings import Destination


class OpenSSHLoginNode(ChannelNode):
    """Uses the open login, or logs in if there is none, before anything has run; if the login ends
    later, the same command does not log in again."""

    wire = "openssh"

    def __init__(
        self,
        destination: Destination,
        say: Callable[[str], None] | None = None,
        master: Master | None = None,
    ) -> None:
        """`master`: with a login that may be under way."""
        super().__init__()
        self.master = master or Master(destination, say)
        self.name = self.master.name
        # The master that this command has used.
        self._pid = 0

    def open(self) -> None:
        if not self._pid:
            self._pid = self.master.there().pid

    def _open_channel(self, command: str, pty: Pty | None = None) -> OpenSSHChannel:
        self.open()
        try:
            return OpenSSHChannel(self.master.socket, self._pid, command, pty)
        except TimeoutError:
            raise self._silent() from None
        except mux.Refused as error:
            raise self._no_session(str(error)) from None
        except OSError:
            raise self._lost() from None

    def _silent(self) -> ConnectionLost:
        return ConnectionLost(
            f"the login to {self.name} is open, but the other end does not respond",
            where=self.name,
            remedy="check that this machine is online, then run `invoke logout` and `invoke login`",
        )

    def _no_session(self, reason: str) -> SessionRefused:
        return SessionRefused(
            f"{self.name} refused another session: {reason}",
            where=self.name,
            remedy="run the same command again; if it fails: `invoke logout`, then `invoke login`",
        )

    def _lost(self) -> ConnectionLost:
        error = super()._lost()
        error.remedy = f"{error.remedy} (`invoke login` logs in again first)"
        return error

    def close(self) -> None:
        """The login stays, for the next command."""
        super().close()
        self.master.abandon()
        if self._pid:
            self.master.used()
