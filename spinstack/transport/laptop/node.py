"""The wire `laptop`: this machine as the place where scripts run, with nothing to log in to."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from spinstack.errors import UsageError
from spinstack.transport.bash import PlainBash
from spinstack.transport.channel import Pty
from spinstack.transport.channel_node import ChannelNode
from spinstack.transport.login_node import PrintingLoginNode

if TYPE_CHECKING:
    from spinstack.transport.laptop.channel import LaptopChannel

NAME = "this machine"


class LaptopNode(ChannelNode):
    """Runs scripts in a bash with the person's own environment."""

    name = NAME
    wire = "laptop"
    bash = PlainBash()
    unprepared = "run `invoke doctor`, which says what is missing on this machine"

    def open(self) -> None:
        _program()

    def _open_channel(self, command: str, pty: Pty | None = None) -> LaptopChannel:
        from spinstack.transport.laptop.channel import LaptopChannel

        return LaptopChannel(_program(), command, pty)


class PrintingLaptop(PrintingLoginNode):
    """Shows the scripts."""

    def __init__(self, show: Callable[[str], None] = print) -> None:
        super().__init__(NAME, show)

    def _start(self, *, terminal: bool = False) -> str:
        return "bash"


def _program() -> str:
    """The path of bash. Raises UsageError without one."""
    remedy = "install bash and run the same command again"
    if sys.platform == "win32":
        remedy = "work in the Windows Subsystem for Linux, or set kubectl: login"
    found = None if sys.platform == "win32" else shutil.which("bash")
    if found is None:
        raise UsageError("this destination needs bash on this machine", remedy=remedy)
    return found
