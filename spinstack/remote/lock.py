"""Changing what is written down about a stack, or ending an upgrade: under the lock.

Tasks that are done in a moment go through `locked`, which logs in once, takes the lock and
gives it back. What takes its time is carried there (`deploy/run.py`).
"""

from __future__ import annotations

import contextlib
import getpass
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from spinstack.errors import SpinstackError
from spinstack.remote import changes
from spinstack.remote.errors import Locked
from spinstack.remote.found import Found
from spinstack.remote.owner import Owner, make_owner, parse_owner
from spinstack.remote.stack import RemoteStack

if TYPE_CHECKING:
    from spinstack.session import Session
    from spinstack.transport.script import ScriptResult
from spinstack.remote.access import remote_stack, with_access

# Seconds by which the clocks of a centre's machines agree, whatever happens.
_CLOCKS_AGREE = 3600


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
            if not found.has_access or session.dry:
                found = with_access(session, remote)
            yield LockedStack(session, remote, me, found)
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


def take_over(
    session: Session, remote: RemoteStack, owner: Owner, last_sign_of_life: int | None, me: Owner
) -> None:
    """Break a lock that we left behind ourselves. Raises Locked for any other one.

    `last_sign_of_life`: of a change that had the lock, in seconds before now; None if it has
    given none yet, and a command of ours may be about to start it.
    """
    if owner.job and last_sign_of_life is not None:
        left = owner.who == me.who and not is_alive(session, remote, last_sign_of_life)
    else:
        left = owner.is_of(me) and not _alive(owner.pid)
    if not left:
        raise Locked(owner, remote.root)
    break_left(session, remote, owner)


def break_left(session: Session, remote: RemoteStack, owner: Owner) -> None:
    """Break the lock of a change that is no more. Raises Locked if somebody has it by now."""
    session.console.note(f"the lock of {owner.told()} was left behind: taken over")
    remote.break_lock(owner)


def is_alive(session: Session, remote: RemoteStack, seconds: int) -> bool:
    """Whether the change that has the lock goes on. Its last sign of life was so many seconds
    ago by the clocks of two machines, which may differ: one that seems dead is listened to."""
    if seconds < changes.SILENT_SECONDS:
        return True
    if seconds >= _CLOCKS_AGREE:
        return False
    with session.console.step("listen") as step:
        alive = remote.says_something()
        step.done("it goes on" if alive else "no sign of life")
    return alive


def refuse_while_locked(session: Session, root: PurePosixPath, found: ScriptResult) -> None:
    """For what takes no lock. Raises Locked unless the one that was found was left behind."""
    owner = parse_owner(found.output("lock owner")) or Owner("somebody", "some machine")
    age = changes.age(found)
    if age is None:
        me = Owner(who(session), socket.gethostname())
        left = owner.is_of(me) and not _alive(owner.pid)
    else:
        left = age >= changes.SILENT_SECONDS
    if not left:
        raise Locked(owner, root)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


@dataclass
class LockedStack:
    """A change under way: who makes it, and what was found."""

    session: Session
    remote: RemoteStack
    me: Owner
    found: Found

    def confirm(self, directory: PurePosixPath) -> None:
        """The second step: the old containers go, the release is the current one."""
        with self.session.console.step("confirm"):
            self.remote.confirm(directory)
