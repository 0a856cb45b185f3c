"""The key agent, which may be locked, or show a window that nobody sees."""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable, Sequence
from typing import Any

import paramiko
from paramiko.agent import AgentKey, AgentSSH

from spinstack.transport import waits
from spinstack.transport.waits import Wait


class Agent(AgentSSH):
    """Asked with a time limit, unless there is a person at a terminal; `say` gets a line if it
    takes long."""

    def __init__(self, path: str, wait: Wait, say: Callable[[str], None]) -> None:
        """Raises OSError or SSHException if nothing there is an agent, SpinstackError if it does
        not respond."""
        super().__init__()
        self._wait, self._say = wait, say
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(None if sys.stdin.isatty() else waits.AT_MOST)
        connection.connect(path)
        self._connect(connection)  # type: ignore[attr-defined]

    def _send_message(self, message: Any) -> Any:
        with waits.told(self._wait, self._say):
            try:
                return super()._send_message(message)  # type: ignore[misc]
            except TimeoutError:
                raise self._wait.error() from None


def keys(path: str, host: str, say: Callable[[str], None]) -> Sequence[AgentKey]:
    """What the agent at a socket has; nothing if there is none. Raises SpinstackError if it does
    not respond."""
    try:
        if sys.platform == "win32":  # where it is no socket
            return paramiko.Agent().get_keys()
        return Agent(path, waits.for_agent(path, host), say).get_keys() if path else ()
    except (OSError, paramiko.SSHException):
        return ()
