"""Changing what is written down about a stack, or ending an upgrade: under the lock.

Tasks that are done in a moment go through `locked`, which logs in once, takes the lock and
gives it back. What takes its time is carried there (`deploy/run.py`). `Holder.life` is the rule for
when a lock was left behind.
"""

from __future__ import annotations

import contextlib
import getpass
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from spinstack.errors import SpinstackError
from spinstack.remote import changes
from spinstack.remote.access import remote_stack, with_access
from spinstack.remote.errors import Locked
from spinstack.remote.found import Found
from spinstack.remote.owner import Owner, make_owner, parse_owner
from spinstack.remote.stack import RemoteStack

if TYPE_CHECKING:
    from spinstack.session import Session
    from spinstack.transport.script import ScriptResult

# Seconds by which the clocks of a centre's machines agree, whatever happens.
_CLOCKS_AGREE = 3600


@dataclass(frozen=True)
class LockedStack:
    """A stack whose lock is ours: who we are, and what was found."""

    session: Session
    remote: RemoteStack
    me: Owner
    found: Found


@contextmanager
def locked(session: Session, doing: str) -> Iterator[LockedStack]:
    """Log in, get access to the platform if there is none, take the lock, see what runs."""
    me = make_owner(who(session), socket.gethostname(), doing)
    with session.login_node() as node:
        remote = remote_stack(session, node)
        try:
            with session.console.step("log in") as step:
                found = _looked(session, remote, me)
                step.done(f"uid {found.uid}" if found.uid else "")
            yield LockedStack(session, remote, me, with_access(session, remote, found))
        finally:
            # Where the connection is gone the lock stays, and tells whose it is.
            with contextlib.suppress(SpinstackError):
                remote.unlock()


def who(session: Session) -> str:
    """The name that changes are written down under."""
    return session.destination.user or getpass.getuser()


def _looked(session: Session, remote: RemoteStack, me: Owner) -> Found:
    """Look, under the lock. One that was left behind is taken over."""
    try:
        return remote.look(me)
    except Locked as locked:
        if locked.owner is None:
            raise
        age = remote.look().last_sign_of_life if locked.owner.job else None
        take_over(session, remote, locked.owner, age, me)
        return remote.look(me)


class Life(Enum):
    """Whether whoever has a lock is still at it, as far as can be seen from here."""

    ALIVE = "alive"
    # Silent for long, by clocks that may differ: it has to be listened to.
    DOUBTFUL = "doubtful"
    DEAD = "dead"


@dataclass(frozen=True)
class Holder:
    """What is known of whoever has a lock.

    `silent`: seconds since the last sign of life of a change that goes on by itself, by the
    clocks of two machines; None if it is a process that has begun none yet. `gone`: that process
    is known to be no more.
    """

    silent: int | None = None
    gone: bool = False

    @property
    def life(self) -> Life:
        """The lock of a dead one was left behind. A change is judged by what it says, wherever it
        was begun; a process can be seen from its own machine alone."""
        if self.silent is None:
            return Life.DEAD if self.gone else Life.ALIVE
        if self.silent < changes.SILENT_SECONDS:
            return Life.ALIVE
        return Life.DOUBTFUL if self.silent < _CLOCKS_AGREE else Life.DEAD


def _holder(owner: Owner, silent: int | None, me: Owner) -> Holder:
    """What is known of a lock's owner, looked at from here."""
    if silent is not None:
        return Holder(silent=silent)
    return Holder(gone=owner.is_of(me) and not _alive(owner.pid))


def take_over(
    session: Session, remote: RemoteStack, owner: Owner, last_sign_of_life: int | None, me: Owner
) -> None:
    """Break a lock that we left behind ourselves. Raises Locked for any other one.

    `last_sign_of_life`: of a change that had the lock, in seconds before now; None if it has
    given none yet, and a command of ours may be about to start it.
    """
    holder = _holder(owner, last_sign_of_life if owner.job else None, me)
    if owner.who != me.who or _goes_on(session, remote, holder):
        raise Locked(owner, remote.root)
    break_left(session, remote, owner)


def break_left(session: Session, remote: RemoteStack, owner: Owner) -> None:
    """Break the lock of a change that is no more. Raises Locked if somebody has it by now."""
    session.console.note(f"the lock of {owner.told()} was left behind: taken over")
    remote.break_lock(owner)


def is_alive(session: Session, remote: RemoteStack, seconds: int) -> bool:
    """Whether the change that has the lock goes on; its last sign of life was so many seconds
    ago."""
    return _goes_on(session, remote, Holder(silent=seconds))


def _goes_on(session: Session, remote: RemoteStack, holder: Holder) -> bool:
    """Whether whoever has the lock is alive; where that is in doubt it is listened to."""
    if holder.life is not Life.DOUBTFUL:
        return holder.life is Life.ALIVE
    with session.console.step("listen") as step:
        alive = remote.says_something()
        step.done("it goes on" if alive else "no sign of life")
    return alive


def refuse_while_locked(session: Session, root: PurePosixPath, found: ScriptResult) -> None:
    """For what takes no lock. Raises Locked unless the one that was found was left behind."""
    owner = parse_owner(found.output("lock owner")) or Owner("somebody", "some machine")
    me = Owner(who(session), socket.gethostname())
    # Nobody's lock is broken here: a doubtful one keeps nobody waiting.
    if _holder(owner, changes.age(found), me).life is Life.ALIVE:
        raise Locked(owner, root)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
