"""One session on the connection to a login node, the same for both wires: bytes both ways."""

from __future__ import annotations

from dataclasses import dataclass
from typing import BinaryIO, Protocol

# How long the other end may take to accept a session, or a piece of what is sent; seconds.
OPEN_SECONDS = 30
WRITE_SECONDS = 60


@dataclass(frozen=True)
class Pty:
    """A terminal for a command on the login node: its type, its size in characters."""

    kind: str
    columns: int
    rows: int


@dataclass(frozen=True)
class Stream:
    """What a command reads from, to its end, and what its output is written to; None for nothing,
    and for our own output."""

    source: BinaryIO | None = None
    target: BinaryIO | None = None


class Channel(Protocol):
    """A command on the login node. With a terminal, its two outputs are one."""

    def filenos(self) -> list[int]:
        """Descriptors, of which one is readable whenever something has arrived or ended."""
        ...

    def write(self, data: bytes) -> None:
        """Send all of it to the command's input. Raises OSError if that fails."""
        ...

    def end_input(self) -> None:
        """Let the command see the end of its input. Nothing can be written after that."""
        ...

    def read(self, seconds: float) -> bytes | None:
        """The next piece of its output: empty at the end, None if nothing came in time."""
        ...

    def read_error(self) -> bytes:
        """What has arrived of its error output; empty if nothing has."""
        ...

    def resize(self, columns: int, rows: int) -> None:
        """Tell its terminal of a new size."""
        ...

    def exit_code(self, seconds: float = 0) -> int | None:
        """Its exit code; None if it is not known in time, or the connection was lost."""
        ...

    @property
    def alive(self) -> bool:
        """Whether the connection below it is still alive."""
        ...

    def close(self) -> None:
        """End the session; it may have ended already."""
        ...
