"""Deals with other changes to the stack: looks first, follows our own, gives way to somebody
else's, takes over a stale lock.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from spinstack.deploy.run import Deployment
from spinstack.deploy.unseen import Silent
from spinstack.errors import SpinstackError
from spinstack.remote import access, changes
from spinstack.remote import lock as remote_lock
from spinstack.remote.access import remote_stack
from spinstack.remote.found import Found
from spinstack.remote.history.write import recorded
from spinstack.remote.owner import Owner, make_owner

if TYPE_CHECKING:
    from spinstack.session import Session
    from spinstack.transport.login_node import LoginNode


def found(session: Session, node: LoginNode, doing: str, *, yes: bool = False) -> Deployment:
    """See what is running and who is changing it; get access to the platform if there is none."""
    me = make_owner(remote_lock.who(session), socket.gethostname(), doing)
    remote = access.remote_stack(session, node)
    with session.console.step("look") as step:
        found = remote.look()
        step.done("" if session.dry else _seen(found))
    remote_lock.tell_unfinished(session, found)
    return Deployment(session, remote, me, access.with_access(session, remote, found), yes=yes)


def _seen(found: Found) -> str:
    """Who we are there, where that is known, and what is running, in words."""
    told = ", ".join(f"{state.name} {state.shown}" for state in found.states)
    told = told or "nothing is running yet"
    return f"uid {found.uid}: {told}" if found.uid else told


def refuse_another(deployment: Deployment) -> None:
    """Raises Locked if somebody is changing the stack, even if it is us."""
    lock = deployment.found.lock
    if lock and not deployment.session.dry:
        age = deployment.found.last_sign_of_life
        remote_lock.take_over(deployment.session, deployment.remote, lock, age, deployment.me)
        deployment.found = deployment.remote.look()


def wait_for_own(deployment: Deployment) -> str | None:
    """If a change of this stack is running, follow our own to its end. Returns the site's address
    then, after looking at the destination again; None if there was no such change.

    Raises Locked for somebody else's, SpinstackError if ours failed.
    """
    lock, remote = deployment.found.lock, deployment.remote
    if lock is None or deployment.session.dry:
        return None
    age, url = deployment.found.last_sign_of_life, None
    if remote.lives_on and lock.job and lock.who == deployment.me.who and age is not None:
        url = _looked_on(deployment, lock, age)
    else:
        remote_lock.take_over(deployment.session, remote, lock, age, deployment.me)
    deployment.found = remote.look()
    return url


def _looked_on(deployment: Deployment, lock: Owner, age: int) -> str | None:
    """Follow our own change to its end. Returns the site's address, or None if the change is dead
    and its lock was broken. `age`: seconds since its last heartbeat."""
    session, remote = deployment.session, deployment.remote
    if remote_lock.is_alive(session, remote, age):
        try:
            return deployment.attach(lock)
        except Silent as silent:
            session.console.note(silent.what)
            if remote_lock.is_alive(session, remote, changes.SILENT_SECONDS):
                raise
    remote_lock.break_left(session, remote, lock)
    return None


def unlock(session: Session, *, yes: bool) -> str:
    """Break the lock of somebody who is not coming back. Returns who it was."""
    with session.login_node() as node:
        remote = remote_stack(session, node)
        owner, age = remote.at_work()
        alive = age is not None and age < changes.SILENT_SECONDS
        if owner is None and not session.dry:
            raise SpinstackError(
                "there is no lock",
                where=remote.lock_place,
                remedy="go ahead: nothing has to be unlocked",
            )
        told = owner.told() if owner else "nobody"
        mixing = "If that change is still running, two changes will interfere."
        if alive:
            mixing = "That change is still running: two changes will interfere."
        session.confirm(f"Break the lock of {told}? {mixing}", yes=yes)
        with recorded(session, node, "unlock", f"the lock of {told}"):
            remote.break_lock(owner or Owner(told, ""))
    return told
