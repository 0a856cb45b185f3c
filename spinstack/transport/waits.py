"""What a login waits for besides the host's first answer: told after some seconds, and the error
if the wait was in vain. For both wires; knows neither."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from spinstack.errors import SpinstackError
from spinstack.transport.command import Command

if TYPE_CHECKING:
    from spinstack.config.settings import Destination

# Seconds after which a person is told what the login waits for.
TOLD_AFTER = 5.0
# How long each of them may last for a login that nobody watches: slow name servers, jump hosts.
AT_MOST = 120.0


@dataclass(frozen=True)
class Wait:
    """`told`: the line for a person who waits; `in_vain`, `where` and `remedy`: the error.
    `personal`: it ends when the person does something, so that at a terminal it has no limit."""

    told: str
    in_vain: str
    where: str
    remedy: str
    personal: bool = False

    def error(self, reason: str = "") -> SpinstackError:
        """`reason`: in the words of what failed."""
        what = f"{self.in_vain}: {reason}" if reason else self.in_vain
        error = SpinstackError(what, where=self.where, remedy=self.remedy)
        error.explained = True
        return error


def for_agent(agent: str, host: str) -> Wait:
    """For a key agent that is locked, or shows a window that nobody sees. `agent`: its socket."""
    return Wait(
        f"the login waits for the key agent at {agent}: unlock it, or answer its window",
        "the key agent does not respond, so the login could not go on",
        f"key agent {agent}",
        "unlock it or answer its window, then run the same command again; or do without it: "
        f"`IdentityAgent none` below `Host {host}` in ~/.ssh/config",
        personal=True,
    )


def for_jump(host: str, jump: str) -> Wait:
    """For the jump host that the ssh config puts before the host."""
    return Wait(
        f"the login waits for the jump host {jump}, which the ssh config puts before {host}",
        f"the login node {host} can't be reached through the jump host {jump}",
        f"ProxyJump of {host} in the ssh config",
        f"see how far `ssh {jump}` gets; without a jump host, remove ProxyJump for {host} from "
        "~/.ssh/config",
    )


def by_hand(to: Destination) -> str:
    """The command that shows how a login there goes."""
    words = ["ssh", "-v", *(["-p", str(to.port)] if to.port else [])]
    return Command(*words, f"{to.user}@{to.host}" if to.user else to.host).shown()


def for_proxy_command(to: Destination) -> Wait:
    """For the command that the ssh config runs to reach the host."""
    host = to.host
    return Wait(
        f"the login waits for the ProxyCommand that the ssh config has for {host}",
        f"the login node {host} can't be reached through its ProxyCommand",
        f"ProxyCommand of {host} in the ssh config",
        f"see how far `{by_hand(to)}` gets; without it, remove ProxyCommand for {host} from "
        "~/.ssh/config",
    )


def for_start(to: Destination) -> Wait:
    """For all that is done before a connection is tried."""
    host = to.host
    return Wait(
        f"the login looks up {host}, or waits for a command of the ssh config (Match exec)",
        f"the login to {host} did not begin: looking up its name, or a command of the ssh config "
        "(Match exec), does not end",
        host,
        f"see where `{by_hand(to)}` stops",
    )


def for_host(name: str, where: str) -> Wait:
    """For a host that answers, but does not go on. `name`: the account."""
    return Wait(
        f"{name} has answered; the login waits for its next step",
        f"the login to {name} got stuck: the host answers, but does not finish the login",
        where,
        "try again in a few minutes; if it stays so, see the centre's status page",
    )


def for_answer(name: str, where: str) -> Wait:
    """For the answer to a prompt: the person's, or what the host says to it."""
    return Wait(
        f"the login to {name} waits for an answer: to a question of ssh, perhaps in a window, or "
        "to a second factor, such as a security key or a request on your phone",
        f"the login to {name} waited in vain for an answer to a question or a second factor",
        where,
        "run `invoke login` in a terminal, and confirm a second factor as soon as it asks",
        personal=True,
    )


def agent_at(setting: str | None) -> str:
    """The key agent's socket by the ssh config's IdentityAgent; empty if none is used.

    Source: ssh_config(5), IdentityAgent.
    """
    value = "SSH_AUTH_SOCK" if setting is None else setting.strip('"')
    if value.lower() == "none":
        return ""
    if value == "SSH_AUTH_SOCK" or value.startswith("$"):
        return os.environ.get(value.lstrip("$").strip("{}"), "")
    return os.path.expanduser(value.replace("%d", str(Path.home())))  # noqa: PTH111 - any text


@contextmanager
def told(wait: Wait, say: Callable[[str], None]) -> Iterator[None]:
    """Say what is waited for if the block takes more than some seconds."""
    timer = threading.Timer(TOLD_AFTER, say, (wait.told,))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
