"""Where the history of a stack is: a file on the global file system, or the cluster itself."""

from __future__ import annotations

import getpass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Protocol

from spinstack.errors import SpinstackError
from spinstack.remote.history import record
from spinstack.remote.history.record import Record
from spinstack.transport.script import Script, Step, StepResult

if TYPE_CHECKING:
    from spinstack.session import Session
    from spinstack.transport.login_node import LoginNode

# Seconds to allow for a line on a file system that is slow just now.
SECONDS = 30.0
UNREADABLE = "the history can't be read"


class HistoryPlace(Protocol):
    """Reads and extends a history; what is read is parsed by `record.parse`."""

    @property
    def name(self) -> str:
        """For messages."""
        ...

    def read(self) -> Step:
        """Named record.STEP; prints nothing if there is none yet, fails if it can't be read."""
        ...

    def unreadable(self, told: StepResult) -> SpinstackError:
        """Why it can't be read, from what that step printed."""
        ...

    def append(self, node: LoginNode, made: Record) -> StepResult:
        """Add a record. Raises SpinstackError if the connection fails."""
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

    def unreadable(self, told: StepResult) -> SpinstackError:
        return SpinstackError(
            UNREADABLE,
            where=self.name,
            remedy="ask whoever deployed the stack to chmod g+r it, and o+x its directory",
            details=told.output.strip(),
        )

    def append(self, node: LoginNode, made: Record) -> StepResult:
        step = record.append_step(self._root, made)
        return node.run(Script((step,), seconds=SECONDS))[step.name]


def of(session: Session) -> HistoryPlace:
    """The history of the session's stack at its destination."""
    to, stack = session.destination, session.settings.stack
    if not session.platform.detached and to.kubernetes:
        from spinstack.remote.history.cluster import ClusterHistory

        ready = session.platform.ready(to)
        return ClusterHistory(to.kubernetes, stack, ready, to.user or getpass.getuser())
    return HistoryFile(PurePosixPath(to.project_dir, stack))
