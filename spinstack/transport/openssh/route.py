"""What lies between this machine and the login node, by the person's ssh configuration."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from spinstack.text import split_lines
from spinstack.transport import waits
from spinstack.transport.openssh import ahead
from spinstack.transport.openssh.progress import Stage

if TYPE_CHECKING:
    from spinstack.config.settings import Destination
    from spinstack.transport.waits import Wait


def configured(destination: Destination) -> dict[str, list[str]]:
    """The person's configuration for the host, as ssh itself reads it (`ssh -G`); empty if it
    can't be read, which the login reports better."""
    try:
        told, _ = ahead.answer(ahead.configuration(destination))
    except (OSError, subprocess.TimeoutExpired):
        return {}
    found: dict[str, list[str]] = {}
    # File names may be in any encoding.
    for line in split_lines(os.fsdecode(told)):
        key, _, value = line.partition(" ")
        found.setdefault(key, []).append(value)
    return found


class Route:
    """The way to a destination's host. `name`: the account there."""

    def __init__(self, destination: Destination, name: str) -> None:
        self.destination = destination
        self.name = name

    @cached_property
    def _configured(self) -> Mapping[str, list[str]]:
        return configured(self.destination)

    def _value(self, key: str) -> str | None:
        return self._configured.get(key, [None])[0]

    @property
    def way(self) -> Wait | None:
        """For the jump host or the ProxyCommand, if there is one."""
        jump, command = self._value("proxyjump"), self._value("proxycommand")
        if jump:
            return waits.for_jump(self.destination.host, jump.split(",")[0])
        return waits.for_proxy_command(self.destination) if command else None

    @property
    def identity_files(self) -> list[Path]:
        names = self._configured.get("identityfile", [])
        return [Path(os.path.expanduser(name)) for name in names]  # noqa: PTH111 - any text

    @property
    def unasking(self) -> tuple[str, str] | None:
        """A line for which ssh answers no prompt, and how to change it.

        Source: ssh_config(5), PreferredAuthentications, KbdInteractiveAuthentication, BatchMode.
        """
        preferred = self._value("preferredauthentications")
        if preferred and not {"keyboard-interactive", "password"} & set(preferred.split(",")):
            wanted = f"{preferred},keyboard-interactive,password"
            return f"PreferredAuthentications {preferred}", f"remove it, or make it {wanted}"
        for key, line, wanted in (
            ("batchmode", "BatchMode yes", "yes"),
            ("kbdinteractiveauthentication", "KbdInteractiveAuthentication no", "no"),
        ):
            if self._value(key) == wanted:
                return line, "remove that line"
        return None

    def wait(self, stage: Stage) -> Wait | None:
        """What the login waits for in this stage; None for what ssh gives up by itself."""
        host = self.destination.host
        if stage is Stage.CONNECT:
            return None
        if stage is Stage.WAY:
            return self.way
        if stage is Stage.START:
            return waits.for_start(self.destination)
        if stage in (Stage.QUESTION, Stage.ANSWER):
            return waits.for_answer(self.name, self._where)
        agent = waits.agent_at(self._value("identityagent")) if stage is Stage.AGENT else ""
        return waits.for_agent(agent, host) if agent else waits.for_host(self.name, self._where)

    @property
    def _where(self) -> str:
        to = self.destination
        return f"{to.host}, port {to.port}" if to.port else to.host
