"""The lock, for changing a stack's notes or ending an upgrade; and when a lock is stale.

Short tasks go through `locked`, which logs in once, takes the lock and gives it back. Long ones
run as a job on the login node (`deploy/run.py`). `Holder.life` is the rule for when a lock is
stale.
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
from typing import TYPE_CHECKING

from spinstack.errors import SpinstackError
from spinstack.remote import changes
from spinstack.remote.access import remote_stack, with_access
from spinstack.remote.errors import Locked
from spinstack.remote.found import Found
from spinstack.remote.owner import Owner, make_owner
from spinstack.remote.stack import RemoteStack

if TYPE_CHECKING:
    from spinstack.session import Session
    from spinstack.transport.script import ScriptResult

# Seconds within which the clocks of a centre's machines agree in any case.
_CLOCKS_AGREE = 3600


@dataclass(frozen=True)
class LockedStack:
    """A stack whose lock we hold: who we are, and what was found."""

    session: Session
    remote: RemoteStack
    me: Owner
    found: Found


@contextmanager
def locked(session: Session, doing: str) -> Iterator[LockedStack]:
    """Log in, take the lock and see what is running; get access to the platform if there is
    none."""
    me = make_owner(who(session), socket.gethostname(), doing)
    with session.login_node() as node:
        remote = remote_stack(session, node)
        try:
            shown = "look" if session.destination.on_laptop else "log in"
            with session.console.step(shown) as step:
                found = _looked(session, remote, me)
                step.done(f"uid {found.uid}" if found.uid else "")
            tell_unfinished(session, found)
            yield LockedStack(session, remote, me, with_access(session, remote, found))
        finally:
            # If the connection is gone the lock stays, and shows whose it is.
            with contextlib.suppress(SpinstackError):
                remote.unlock()


def who(session: Session) -> str:
    """The name under which changes are recorded."""
    return session.destination.user or getpass.getuser()


def _looked(session: Session, remote: RemoteStack, me: Owner) -> Found:
    """Look, under the lock. A stale lock is taken over."""
    try:
        return remote.look(me)
    except Locked as locked:
        if locked.owner is None:
            raise
        seen = locked.owner.job or remote.expires
        age = remote.look().last_sign_of_life if seen else None
        take_over(session, remote, locked.owner, age, me)
        return remote.look(me)


def tell_unfinished(session: Session, found: Found) -> None:
    """Say what somebody has left who is gone. With two steps it is told, and decided, later."""
    left = found.unfinished
    if left and not found.lock and not session.platform.two_steps:
        session.console.note(
            f"the {left.doing or 'change'} of {left.release or 'a release'} by {left.told()} was "
            "never finished"
        )


class Life(Enum):
    """Whether the holder of a lock is still alive, as far as can be seen from here."""

    ALIVE = "alive"
    # Silent for long, but by clocks that may differ: listen to be sure.
    DOUBTFUL = "doubtful"
    DEAD = "dead"


@dataclass(frozen=True)
class Holder:
    """What is known about the holder of a lock.

    `silent`: seconds since the last heartbeat of a change that runs on its own, by the clocks of
    two machines; None for a process that has not started one yet. `gone`: that process is known
    to have ended.
    """

    silent: int | None = None
    gone: bool = False

    @property
    def life(self) -> Life:
        """The lock of a dead holder is stale. A change is judged by its heartbeat, wherever it
        was begun; a process can only be seen from its own machine."""
        if self.silent is None:
            return Life.DEAD if self.gone else Life.ALIVE
        if self.silent < changes.SILENT_SECONDS:
            return Life.ALIVE
        return Life.DOUBTFUL if self.silent < _CLOCKS_AGREE else Life.DEAD


def _holder(remote: RemoteStack, owner: Owner, silent: int | None, me: Owner) -> Holder:
    """What is known about a lock's owner, as seen from here."""
    gone = owner.is_of(me) and not _alive(owner.pid)
    if silent is not None and not (gone and remote.is_from_here(owner)):
        return Holder(silent=silent)
    return Holder(gone=gone)


def take_over(
    session: Session, remote: RemoteStack, owner: Owner, last_sign_of_life: int | None, me: Owner
) -> None:
    """Break a stale lock of our own, or one that ends by itself, once it has. Raises Locked for any
    other one.

    `last_sign_of_life`: seconds since the last heartbeat of the change that has the lock; None if
    there was none yet, and a command of ours may be about to start it.
    """
    age = last_sign_of_life if owner.job or remote.expires else None
    holder = _holder(remote, owner, age, me)
    # A lock that ends by itself is nobody's once it has.
    if (owner.who != me.who and not remote.expires) or _goes_on(session, remote, holder, owner):
        raise Locked(owner, remote.lock_place, remote.expires)
    break_left(session, remote, owner)


def break_left(session: Session, remote: RemoteStack, owner: Owner) -> None:
    """Break the lock of a dead change. Raises Locked if somebody else has it by now."""
    if remote.break_lock(owner):
        session.console.note(f"took over the stale lock of {owner.told()}")


def is_alive(session: Session, remote: RemoteStack, seconds: int) -> bool:
    """Whether the change that has the lock is alive; its last heartbeat was `seconds` ago."""
    return _goes_on(session, remote, Holder(silent=seconds))


def _goes_on(
    session: Session, remote: RemoteStack, holder: Holder, owner: Owner | None = None
) -> bool:
    """Whether the holder of the lock is alive; if in doubt, listen to it. `owner`: who that is."""
    waits = owner is not None and remote.expires > 0 and holder.life is not Life.DEAD
    if holder.life is not Life.DOUBTFUL and not waits:
        return holder.life is Life.ALIVE
    if waits and owner:
        # Whoever runs a command again that died wants it to wait, rather than to do so themselves.
        session.console.note(
            f"locked by {owner.told()}; waiting for a heartbeat: without one, the lock ends within "
            f"{remote.expires} s"
        )
    with session.console.step("listen") as step:
        alive = remote.says_something()
        step.done("still running" if alive else "no heartbeat")
    return alive


def refuse_while_locked(session: Session, remote: RemoteStack, result: ScriptResult) -> None:
    """For tasks that take no lock. Raises Locked if there is one, unless it is stale. `result`:
    of its `lock_steps`."""
    owner, age = remote.read_lock(result)
    me = Owner(who(session), socket.gethostname())
    # No lock is broken here, so nobody has to wait for a doubtful one.
    if owner and _holder(remote, owner, age, me).life is Life.ALIVE:
        raise Locked(owner, remote.lock_place, remote.expires)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
