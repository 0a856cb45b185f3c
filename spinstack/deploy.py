"""The way of a deploy: check, build, push, upload, render, up or upgrade, healthy, asked,
confirmed. Until the upgrade begins nothing that runs has been touched; after it, a failure
brings the old containers back.
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from spinstack import changing, release
from spinstack.changing import Changing, make_remote
from spinstack.errors import UsageError
from spinstack.laptop import ask_if_protected, build, check, push
from spinstack.upgrading import Plan, plan

if TYPE_CHECKING:
    from spinstack.session import Session

__all__ = [
    "ask_if_protected",
    "build",
    "check",
    "deploy",
    "make_remote",
    "push",
    "up",
    "upgrade",
]


def deploy(session: Session, *, yes: bool = False) -> str:
    """Carry the stack to its destination; the address where it answers.

    Raises SpinstackError at the first thing that fails, after bringing back what ran.
    """
    ask_if_protected(session, yes=yes)
    check(session)
    build(session)
    push(session)
    with changing.begun(session, "deploy") as change:
        directory = _upload(change)
        url = _bring_up(change, directory, (Plan.CREATE, Plan.UPGRADE, Plan.RESUME))
        change.confirm(directory)
    return url


def up(session: Session, *, yes: bool = False) -> str:
    """Start a stack that is not there yet, its images having been pushed; its address."""
    ask_if_protected(session, yes=yes)
    check(session)
    with changing.begun(session, "up") as change:
        directory = _upload(change)
        url = _bring_up(change, directory, (Plan.CREATE,))
        change.confirm(directory)
    return url


def upgrade(session: Session, *, yes: bool = False) -> str:
    """The first of Rancher's two steps: new containers run, the old ones are kept stopped.

    `confirm` or `rollback` is the second one.
    """
    ask_if_protected(session, yes=yes)
    check(session)
    with changing.begun(session, "upgrade") as change:
        return _bring_up(change, _upload(change), (Plan.UPGRADE, Plan.RESUME))


def _upload(change: Changing) -> PurePosixPath:
    """Upload the stack as a release, unless the very same files are there already."""
    session, situation = change.session, change.situation
    made = release.make(session.stack, session.destination)
    change.plan = plan(situation, made.content, change.me)
    known = [situation.current, situation.unfinished.release if situation.unfinished else ""]
    with session.console.step("upload") as step:
        for name in known:
            if name and name.rsplit("-", 1)[-1] == made.content:
                step.done(f"unchanged since {name}")
                return made.called(name).directory
        change.remote.upload(made, change.note(made))
        step.done(made.id)
    return made.directory


def _bring_up(change: Changing, directory: PurePosixPath, allowed: tuple[Plan, ...]) -> str:
    """Render, create or upgrade, wait, ask the site; its address."""
    if change.plan not in allowed and not change.session.dry:
        there = change.plan is not Plan.CREATE
        stack = change.session.settings.stack
        raise UsageError(
            f"{stack} {'runs already' if there else 'is not there yet'}",
            where=change.session.destination.name,
            remedy="invoke upgrade, or invoke deploy" if there else "invoke up, or invoke deploy",
        )
    with change.session.console.step("render"):
        change.remote.render(directory)
    return change.bring_up(directory)
