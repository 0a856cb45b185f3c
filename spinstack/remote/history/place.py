"""Where the history of a stack is: a file on the global file system, or the cluster itself."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Protocol

from spinstack.remote.history import record
from spinstack.remote.history.record import Record

if TYPE_CHECKING:
    from spinstack.session import Session
    from spinstack.transport.script import Step


class HistoryPlace(Protocol):
    """Steps that read and extend a history; what they print is read by `record.parse`."""

    @property
    def name(self) -> str:
        """For messages."""
        ...

    def read(self) -> Step:
        """Named record.STEP; prints nothing if there is none yet, fails if it can't be read."""
        ...

    def append(self, made: Record) -> Step:
        """Named record.STEP."""
        ...


class HistoryFile:
    """In the stack's directory."""

    def __init__(self, root: PurePosixPath) -> None:
        self._root = root

    @property
    def name(self) -> str:
        return str(self._root / record.FILE)

    def read(self) -> Step:
        return record.read_step(self._root)

    def append(self, made: Record) -> Step:
        return record.append_step(self._root, made)


def of(session: Session) -> HistoryPlace:
    """The history of the session's stack at its destination."""
    to, stack = session.destination, session.settings.stack
    if session.platform.keeps_notes and to.kubernetes:
        from spinstack.remote.history.cluster import ClusterHistory

        return ClusterHistory(to.kubernetes, stack, to.user)
    return HistoryFile(PurePosixPath(to.project_dir, stack))
