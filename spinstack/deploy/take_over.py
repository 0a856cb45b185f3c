"""Meets who else changes the stack: looks first, looks on at a change of one's own, gives way to
somebody else's, takes over what is dead.
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


def found(session: Session, node: LoginNode, doing: str) -> Deployment:
    """Get access to the platform if there is none, see what runs and who is at it."""
    me = make_owner(remote_lock.who(session), socket.gethostname(), doing)
    remote = access.remote_stack(session, node)
    with session.console.step("look") as step:
        found = remote.look()
        step.done(_seen(found))
    return Deployment(session, remote, me, access.with_access(session, remote, found))


def _seen(found: Found) -> str:
    """What runs there, in words."""
    if not found.uid:
        return ""
    told = ", ".join(f"{state.name} {state.shown}" for state in found.states)
    return f"uid {found.uid}: {told or 'nothing runs yet'}"


def refuse_another(deployment: Deployment) -> None:
    """Raises Locked where somebody is changing the stack, be it ourselves."""
    lock = deployment.found.lock
    if lock and not deployment.session.dry:
        age = deployment.found.last_sign_of_life
        remote_lock.take_over(deployment.session, deployment.remote, lock, age, deployment.me)
        deployment.found = deployment.remote.look()


def wait_for_own(deployment: Deployment) -> str | None:
    """Where a change of this stack is under way: look on at our own to its end; the address of
    the site then, and the found is looked at anew. None where nobody is at it.

    Raises Locked for somebody else's, SpinstackError where ours failed.
    """
    lock, remote = deployment.found.lock, deployment.remote
    if lock is None or deployment.session.dry:
        return None
    age, url = deployment.found.last_sign_of_life, None
    if lock.job and lock.who == deployment.me.who and age is not None:
        url = _looked_on(deployment, lock, age)
    else:
        remote_lock.take_over(deployment.session, remote, lock, age, deployment.me)
    deployment.found = remote.look()
    return url


def _looked_on(deployment: Deployment, lock: Owner, age: int) -> str | None:
    """Look on at our own change to its end: the address of the site. None if it is dead, its
    last sign of life so many seconds ago; its lock is broken then."""
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
    """Break the lock of somebody who is not coming back; who it was."""
    with session.login_node() as node:
        remote = remote_stack(session, node)
        owner, alive = remote.at_work()
        if owner is None and not session.dry:
            raise SpinstackError(
                "there is no lock",
                where=str(remote.root / "lock"),
                remedy="nothing has to be broken: run what you want to run",
            )
        told = owner.told() if owner else "nobody"
        mixing = "If a change is really under way, two will mix."
        if alive:
            mixing = "It has just given a sign of life: two changes will mix."
        session.confirm(f"Break the lock of {told}? {mixing}", yes=yes)
        with recorded(session, node, "unlock", f"the lock of {told}"):
            remote.break_lock(owner or Owner(told, ""))
    return told
