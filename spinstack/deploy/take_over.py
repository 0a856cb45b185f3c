"""Meets who else changes the stack: looks first, looks on at a change of one's own, gives way to
somebody else's, takes over what is dead.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from spinstack.deploy.run import Carrying, Silent
from spinstack.remote import access, changes
from spinstack.remote import lock as changing
from spinstack.remote.found import Situation
from spinstack.remote.owner import Mark, mark

if TYPE_CHECKING:
    from spinstack.session import Session
    from spinstack.transport.login_node import LoginNode
from typing import TYPE_CHECKING

from spinstack.errors import SpinstackError
from spinstack.remote.access import make_remote
from spinstack.remote.history.write import recorded

if TYPE_CHECKING:
    from spinstack.session import Session


def found(session: Session, node: LoginNode, doing: str) -> Carrying:
    """Make a Rancher key if there is none, see what runs and who is at it."""
    me = mark(changing.who(session), socket.gethostname(), doing)
    remote = access.make_remote(session, node)
    with session.console.step("look") as step:
        situation = remote.look()
        step.done(_seen(situation))
    if not situation.has_key or session.dry:
        situation = access.with_key(session, remote)
    return Carrying(session, remote, me, situation)


def _seen(situation: Situation) -> str:
    """What runs there, in words."""
    if not situation.uid:
        return ""
    told = ", ".join(f"{state.name} {state.shown}" for state in situation.states)
    return f"uid {situation.uid}: {told or 'nothing runs yet'}"


def refuse_another(carrying: Carrying) -> None:
    """Raises Locked where somebody is changing the stack, be it ourselves."""
    lock = carrying.situation.lock
    if lock and not carrying.session.dry:
        age = carrying.situation.job_age
        changing.take_over(carrying.session, carrying.remote, lock, age, carrying.me)
        carrying.situation = carrying.remote.look()


def wait_for_own(carrying: Carrying) -> str | None:
    """Where a change of this stack is under way: look on at our own to its end; the address of
    the site then, and the situation is looked at anew. None where nobody is at it.

    Raises Locked for somebody else's, SpinstackError where ours failed.
    """
    lock, remote = carrying.situation.lock, carrying.remote
    if lock is None or carrying.session.dry:
        return None
    age, url = carrying.situation.job_age, None
    if lock.job and lock.who == carrying.me.who and age is not None:
        url = _looked_on(carrying, lock, age)
    else:
        changing.take_over(carrying.session, remote, lock, age, carrying.me)
    carrying.situation = remote.look()
    return url


def _looked_on(carrying: Carrying, lock: Mark, age: int) -> str | None:
    """Look on at our own change to its end: the address of the site. None if it is dead, its
    last sign of life so many seconds ago; its lock is broken then."""
    session, remote = carrying.session, carrying.remote
    if changing.is_alive(session, remote, age):
        try:
            return carrying.attach(lock)
        except Silent as silent:
            session.console.note(silent.what)
            if changing.is_alive(session, remote, changes.SILENT_SECONDS):
                raise
    changing.break_left(session, remote, lock)
    return None


def unlock(session: Session, *, yes: bool) -> str:
    """Break the lock of somebody who is not coming back; who it was."""
    with session.login_node() as node:
        remote = make_remote(session, node)
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
            remote.break_lock(owner or Mark(told, ""))
    return told
