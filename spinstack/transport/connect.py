"""The wires to where scripts run, and which of them is used."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from spinstack.errors import UsageError

if TYPE_CHECKING:
    from spinstack.config.settings import Destination
    from spinstack.transport.login_node import LoginNode
    from spinstack.transport.openssh.master import Master

AUTO, FABRIC, OPENSSH = "auto", "fabric", "openssh"
# Not for the setting: it follows from where kubectl runs.
LAPTOP = "laptop"
NAMES = (AUTO, FABRIC, OPENSSH)


def chosen(destination: Destination) -> str:
    """`openssh` or `fabric`: the setting, or what this machine supports.

    Raises UsageError if the setting asks for what is not possible.
    """
    if destination.wire == FABRIC:
        return FABRIC
    # Windows' ssh has no master connections.
    possible = sys.platform != "win32" and shutil.which("ssh") is not None
    if destination.wire == AUTO:
        return OPENSSH if possible and _keeps_logins(destination) else FABRIC
    if sys.platform == "win32":
        raise UsageError(
            "the wire openssh keeps a login open, which ssh can't do on Windows",
            where="setting wire",
            remedy="set wire: fabric, or work in the Windows Subsystem for Linux",
        )
    from spinstack.transport.openssh.master import Master, check_program

    if not possible or Master(destination).alive() is None:
        check_program()
    return OPENSSH


def _keeps_logins(destination: Destination) -> bool:
    """An open login proves it, without running a program."""
    from spinstack.transport.openssh.master import OLDEST, Master, version

    return Master(destination).alive() is not None or (version() or (0, 0)) >= OLDEST


def is_open(destination: Destination) -> bool:
    """Whether a login is open already, so that nobody is asked for one."""
    if chosen(destination) != OPENSSH:
        return False
    from spinstack.transport.openssh.master import Master

    return bool(Master(destination).alive())


def begin(destination: Destination, say: Callable[[str], None]) -> Master | None:
    """Have a login begin that the caller will surely need, while it gets ready itself; None where
    the wire keeps no logins. `login_node` takes it from there. Raises as a login does."""
    if destination.on_laptop or destination.wire == FABRIC:
        return None
    _ask_ahead(destination)
    if chosen(destination) != OPENSSH:
        return None
    from spinstack.transport.openssh.master import Master

    master = Master(destination, say)
    if master.alive() is None:
        master.begin()
    return master


def _ask_ahead(destination: Destination) -> None:
    """Ask ssh what a login has to know of it, unless there seems to be a login already."""
    from spinstack.transport.openssh import sockets

    program = shutil.which("ssh")
    if program is None or sys.platform == "win32" or sockets.socket_of(destination).exists():
        return
    from spinstack.transport.openssh import ahead

    ahead.ask(ahead.version(program))
    if destination.known_hosts_file:
        ahead.ask(ahead.configuration(destination))


def login_node(
    destination: Destination,
    say: Callable[[str], None] | None = None,
    begun: Master | None = None,
) -> LoginNode:
    """A connection over the chosen wire, or to this machine where kubectl runs there; nothing is
    sent before it is used. `say` gets what people should know about the login; `begun`: what
    `begin` has returned."""
    if destination.on_laptop:
        from spinstack.transport.laptop.node import LaptopNode

        return LaptopNode()
    if begun or chosen(destination) == OPENSSH:
        from spinstack.transport.openssh.node import OpenSSHLoginNode

        return OpenSSHLoginNode(destination, say, begun)
    from spinstack.transport.fabric.node import FabricLoginNode

    return FabricLoginNode(destination, say)
