"""A stack at its destination: what runs there, who is changing it, its releases.

What flows and tasks work with. Where the lock and the notes are kept is not their business: in a
directory on the global file system (`directory.py`), or in the cluster itself (`cluster/`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from spinstack.errors import SpinstackError
from spinstack.platforms.client import StackClient
from spinstack.remote.found import Found
from spinstack.remote.notes import ReleaseNote
from spinstack.remote.owner import Owner
from spinstack.transport.script import ScriptResult, Step

if TYPE_CHECKING:
    from spinstack.config.stack import Stack
    from spinstack.platforms.base import Container, Grant, ServiceState
    from spinstack.remote.follow import Follow
    from spinstack.remote.job import Job
    from spinstack.remote.upload import Release
    from spinstack.rules.finding import Finding
    from spinstack.transport.login_node import Answer


@dataclass(frozen=True)
class Noted:
    """What is noted beside what runs. `release`: id of the running one; `note`: what was noted
    about it; `unfinished`: the note of a change that was begun and not ended."""

    release: str = ""
    note: Mapping[str, Any] = field(default_factory=dict)
    unfinished: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Seen:
    """What runs, and what is noted. `answering`: the services with a container that can be asked
    something; None where that shows when they are asked."""

    services: Sequence[ServiceState]
    containers: Mapping[str, list[Container]]
    noted: Noted
    answering: frozenset[str] | None = None


@dataclass(frozen=True)
class Difference:
    """Between what runs and what a release would make of it: `what` differs in which object, and
    how. Empty texts: it is not there."""

    object: str
    what: str
    running: str
    wanted: str


@dataclass(frozen=True)
class Trial:
    """Going back to a release, tried without doing it. `findings`: what stands against it;
    `images`: what it would run; `how`: what was tried, in words."""

    findings: Sequence[Finding]
    images: Sequence[str]
    how: str


class RemoteStack(StackClient, ABC):
    """One stack at one destination, over one connection.

    `lives_on`: whether a change goes on without us once it has begun. `expires`: seconds after
    which the lock of somebody who is gone ends by itself, and anybody may take it over; 0 if it
    does not.
    """

    lives_on = True
    expires = 0

    @property
    @abstractmethod
    def root(self) -> PurePosixPath:
        """The directory that has the journals of changes, where the scripts run."""

    @property
    @abstractmethod
    def place(self) -> str:
        """Where the notes are, for messages; `lock_place`: the lock, `changes_place`: the
        journals, `releases_place`: the releases."""

    @property
    @abstractmethod
    def lock_place(self) -> str: ...
    @property
    @abstractmethod
    def changes_place(self) -> str: ...
    @property
    @abstractmethod
    def releases_place(self) -> str: ...

    # Looking.

    @abstractmethod
    def look(self, lock: Owner | None = None) -> Found:
        """Who we are there, whether the account has access, what is running, who is changing it.

        With `lock`, take the lock first. Raises Locked if somebody else has it.
        """

    @abstractmethod
    def overview_steps(self) -> tuple[Step, ...]:
        """Read what runs and what is noted. The platform's step `states` is one of them, and the
        only one that may end a script."""

    @abstractmethod
    def read_overview(self, outputs: Mapping[str, str]) -> Seen:
        """From what these steps printed, by name."""

    @abstractmethod
    def lock_steps(self) -> tuple[Step, ...]:
        """Read the lock; none of them may end a script."""

    @abstractmethod
    def read_lock(self, result: ScriptResult) -> tuple[Owner | None, int | None]:
        """Who has the lock, None if nobody has it; seconds since the last heartbeat of their
        change, None if it has none."""

    def at_work(self) -> tuple[Owner | None, int | None]:
        """As `read_lock`, now."""
        from spinstack.transport.script import Script

        return self.read_lock(self.succeeded(self.node.run(Script(self.lock_steps()))))

    @abstractmethod
    def releases(self) -> list[tuple[ReleaseNote, bool]]:
        """The releases kept there, oldest first, each with whether it was confirmed."""

    @abstractmethod
    def running_release(self, release: str) -> str:
        """The directory that the files of a release are mounted from; empty if there is none."""

    # The lock.

    @abstractmethod
    def unlock(self) -> None:
        """Give our lock back, if we have it."""

    @abstractmethod
    def break_lock(self, owner: Owner) -> bool:
        """Remove the owner's lock. Whether it was still there. Raises Locked if it is somebody
        else's by now."""

    @abstractmethod
    def says_something(self) -> bool:
        """Whether there is a heartbeat of the change that has the lock within some seconds."""

    def is_from_here(self, owner: Owner) -> bool:
        """Whether it is a process of this very machine that carries the owner's change out."""
        return False

    @abstractmethod
    def tried(self, note: ReleaseNote) -> Trial:
        """Try as much of going back to a release as changes nothing."""

    # A change.

    @abstractmethod
    def make_release(self, stack: Stack) -> Release:
        """The stack's files as a release. Raises SpinstackError if none can be made of them."""

    def foreseen(self, made: Release) -> list[Finding]:
        """What would keep a change to the release from being made there, or would be asked about
        before it; nothing where only the change itself can tell."""
        return []

    def differences(self, made: Release) -> list[Difference] | None:
        """What the release would change, as the platform itself judges it; None if it can't."""
        return None

    @abstractmethod
    def start(
        self,
        change: Job,
        found: Found,
        made: Release | None,
        note: ReleaseNote,
        follow: Follow,
    ) -> int | None:
        """Take the lock, keep the release if there is a new one, start the change and follow it.
        Returns the exit code of the follow.

        Raises Locked, Changed if things are no longer as they were found, SpinstackError if the
        release can't be kept; nothing that is running has been touched then.
        """

    @abstractmethod
    def follow(self, follow: Follow) -> int | None:
        """Continue to follow a change that is running. Returns the exit code of the follow."""

    @abstractmethod
    def hold(self, job_id: str) -> None:
        """Keep a change from making anything final while somebody is asked about it."""

    @abstractmethod
    def go_on(self, job_id: str) -> None:
        """End `hold`."""

    def leave(self) -> None:
        """Leave a change as it is, after Ctrl-C: nothing where it goes on without us."""

    @abstractmethod
    def ask_to_stop(self, job_id: str) -> None:
        """Ask a change to roll back what it has done."""

    @abstractmethod
    def newest_change(self, wanted: str = "") -> str:
        """The id of the newest change, or of the newest one whose id starts with `wanted`; empty
        if there is none."""

    @abstractmethod
    def confirm(self, release: str) -> None:
        """Remove the old containers after an upgrade to the release, and mark it as current."""

    @abstractmethod
    def roll_back(self, release: str, services: Sequence[str]) -> None:
        """Bring the containers from before the open upgrade to the release back."""

    @abstractmethod
    def forget_upgrade(self) -> None:
        """The upgrade is over, or never began."""

    @abstractmethod
    def remove_releases(self, ids: Sequence[str]) -> None:
        """Remove releases that are no longer needed."""

    def get_access(self, grant: Grant, answer: Answer) -> None:
        """Run the program that gives the account access and answer its prompt. Raises
        SpinstackError if it fails."""
        done = self.node.converse(grant.command, answer)
        if not done.ok:
            raise SpinstackError(
                f"the {grant.what} could not be created",
                where=f"{grant.program} on {self.node.name}",
                remedy="try again with the right password (without the one-time code)",
                details=done.stdout.strip(),
            )
