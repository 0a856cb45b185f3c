"""Releases and upgrades after the fact: keep one, take one back, go back further, tidy up."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from spinstack.deploy.plan import LeftUnfinished, Plan
from spinstack.deploy.run import Deployment
from spinstack.errors import SpinstackError, UsageError
from spinstack.remote import lock
from spinstack.remote.history.write import recorded
from spinstack.remote.lock import LockedStack
from spinstack.remote.notes import ReleaseNote
from spinstack.session import ask_if_protected

if TYPE_CHECKING:
    from spinstack.session import Session
from spinstack.deploy.releases import Listed, listed


def confirm(session: Session, *, yes: bool) -> None:
    """Keep an unfinished upgrade. Raises SpinstackError if there is none."""
    ask_if_protected(session, yes=yes)
    with lock.locked(session, "confirm") as change:
        names = _unconfirmed(change)
        session.confirm(
            f"Keep the upgrade of {names}? The containers from before it are removed.", yes=yes
        )
        directory = _begun_directory(change)
        with recorded(session, change.remote.node, "confirm"):
            change.confirm(directory)


def roll_back(session: Session, *, to_release: str, yes: bool) -> str:
    """Take back an unfinished upgrade, or else go back to an earlier release: the one asked
    for, or the last one that ran before the current one. The address in the second case."""
    ask_if_protected(session, yes=yes)
    with lock.locked(session, "rollback") as change:
        if change.found.unconfirmed or session.dry:
            if to_release and not session.dry:
                raise LeftUnfinished(change.found)
            _take_back(change, yes=yes)
            if not session.dry:
                return ""
        return _go_back(change, to_release, yes=yes)


def _take_back(change: LockedStack, *, yes: bool) -> None:
    session = change.session
    names = _unconfirmed(change)
    session.confirm(
        f"Take back the upgrade of {names}? The containers from before it run again.", yes=yes
    )
    directory = _begun_directory(change)
    with (
        recorded(session, change.remote.node, "rollback", "the open upgrade"),
        session.console.step("roll back") as step,
    ):
        services = session.stack.service_names if session.dry else change.found.unconfirmed
        change.remote.roll_back(directory, services)
        step.done(names)


def _go_back(change: LockedStack, to_release: str, *, yes: bool) -> str:
    """Upgrade to an earlier release with its own files, and confirm it."""
    session = change.session
    if session.dry:
        session.console.result("# if no upgrade is unfinished: upgrade to an earlier release")
        note = ReleaseNote(to_release or "<release before>")
    else:
        note = _target(listed(change.remote), to_release, change.found.current)
    session.confirm(f"Go back to the release {note.id}? The current one stays uploaded.", yes=yes)
    there = Deployment(session, change.remote, change.me, change.found)
    return there.run(None, note, Plan.UPGRADE)


def _target(found: list[Listed], wanted: str, current: str) -> ReleaseNote:
    """The release to go back to. Raises UsageError naming those there are."""
    notes = {item.note.id: item.note for item in found if item.can_go_back}
    possible = list(notes)
    if wanted:
        if wanted in notes:
            return notes[wanted]
        what = f"{wanted} runs now" if wanted == current else f"can't go back to {wanted!r}"
    else:
        # The files that run now may have been uploaded more than once.
        other = [name for name in possible if name[-8:] != current[-8:]]
        before = [name for name in other if name < current] or other
        if before:
            return notes[before[-1]]
        what = "there is no earlier release to go back to"
    remedy = f"one of: {', '.join(possible)}" if possible else "mend the stack, and deploy it"
    raise UsageError(what, remedy=remedy)


def _unconfirmed(change: LockedStack) -> str:
    if change.session.dry:
        return "the services"
    if not change.found.unconfirmed:
        session = change.session
        raise SpinstackError(
            "there is no unfinished upgrade",
            where=session.where,
            remedy="see `invoke status` and `invoke releases`",
        )
    return " and ".join(change.found.unconfirmed)


def _begun_directory(change: LockedStack) -> PurePosixPath:
    """The directory of the release that the upgrade was begun with: it is written down; or
    else it was begun without spinstack, and the newest release has to do."""
    root = change.remote.root / "releases"
    if change.session.dry:
        return root / "<release begun>"
    if change.found.unfinished and change.found.unfinished.release:
        return root / change.found.unfinished.release
    notes = change.remote.releases()
    if not notes:
        raise SpinstackError(
            "no release was uploaded",
            where=str(root),
            remedy="end the upgrade by hand on the login node: it was not begun with spinstack",
        )
    return root / notes[-1][0].id
