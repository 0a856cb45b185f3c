"""Releases and upgrades after the fact: keep one, take one back, go back further, tidy up."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from spinstack import changing
from spinstack.bookkeeping import Mark, ReleaseNote
from spinstack.carrying import Carrying
from spinstack.changing import Changing, make_remote
from spinstack.errors import SpinstackError, UsageError
from spinstack.laptop import ask_if_protected
from spinstack.recording import recorded
from spinstack.remote import Remote
from spinstack.upgrading import LeftUnfinished, Plan

if TYPE_CHECKING:
    from spinstack.session import Session

# Releases that `prune` leaves to go back to, besides the one that runs.
KEPT = 5


@dataclass(frozen=True)
class Listed:
    """A release with its place in the history: `state` is current, unfinished, confirmed (it
    ran, and can be gone back to) or failed (it never was confirmed)."""

    note: ReleaseNote
    state: str

    @property
    def can_go_back(self) -> bool:
        return self.state == "confirmed"


def listed(remote: Remote) -> list[Listed]:
    """The releases at the destination, oldest first."""
    situation = remote.look()
    begun = situation.unfinished.release if situation.unfinished else ""
    found = []
    for note, confirmed in remote.releases():
        state = "confirmed" if confirmed else "failed"
        if note.id == situation.current:
            state = "current"
        elif note.id == begun and situation.unconfirmed:
            state = "unfinished"
        found.append(Listed(note, state))
    return found


def releases(session: Session) -> list[Listed]:
    """The releases at the session's destination, oldest first."""
    with session.login_node() as node:
        return listed(make_remote(session, node))


def confirm(session: Session, *, yes: bool) -> None:
    """Keep an unfinished upgrade. Raises SpinstackError if there is none."""
    ask_if_protected(session, yes=yes)
    with changing.begun(session, "confirm") as change:
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
    with changing.begun(session, "rollback") as change:
        if change.situation.unconfirmed or session.dry:
            if to_release and not session.dry:
                raise LeftUnfinished(change.situation)
            _take_back(change, yes=yes)
            if not session.dry:
                return ""
        return _go_back(change, to_release, yes=yes)


def _take_back(change: Changing, *, yes: bool) -> None:
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
        services = session.stack.service_names if session.dry else change.situation.unconfirmed
        change.remote.roll_back(directory, services)
        step.done(names)


def _go_back(change: Changing, to_release: str, *, yes: bool) -> str:
    """Upgrade to an earlier release with its own files, and confirm it."""
    session = change.session
    if session.dry:
        session.console.result("# if no upgrade is unfinished: upgrade to an earlier release")
        note = ReleaseNote(to_release or "<release before>")
    else:
        note = _target(listed(change.remote), to_release, change.situation.current)
    session.confirm(f"Go back to the release {note.id}? The current one stays uploaded.", yes=yes)
    there = Carrying(session, change.remote, change.me, change.situation)
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


def _unconfirmed(change: Changing) -> str:
    if change.session.dry:
        return "the services"
    if not change.situation.unconfirmed:
        session = change.session
        raise SpinstackError(
            "there is no unfinished upgrade",
            where=f"{session.settings.stack} at {session.destination.name}",
            remedy="see `invoke status` and `invoke releases`",
        )
    return " and ".join(change.situation.unconfirmed)


def _begun_directory(change: Changing) -> PurePosixPath:
    """The directory of the release that the upgrade was begun with: it is written down; or
    else it was begun without spinstack, and the newest release has to do."""
    root = change.remote.root / "releases"
    if change.session.dry:
        return root / "<release begun>"
    if change.situation.unfinished and change.situation.unfinished.release:
        return root / change.situation.unfinished.release
    notes = change.remote.releases()
    if not notes:
        raise SpinstackError(
            "no release was uploaded",
            where=str(root),
            remedy="end the upgrade by hand on the login node: it was not begun with spinstack",
        )
    return root / notes[-1][0].id


def prune(session: Session, *, keep: int, yes: bool) -> list[str]:
    """Remove old releases at the destination; the ids of those removed.

    The running one, an unfinished one and the `keep` newest confirmed ones stay.
    """
    if keep < 1:
        raise UsageError("at least one release has to stay", remedy="--keep 1 or more")
    with changing.begun(session, "prune") as change:
        found = listed(change.remote)
        old = superfluous(found, keep)
        if session.dry:
            change.remote.remove_releases(["<old releases>"])
        if session.dry or not old:
            return old
        session.confirm(
            f"Remove {len(old)} releases ({old[0]} to {old[-1]})? It is not possible to go back "
            "to them then; what runs is not touched.",
            yes=yes,
        )
        told = f"{len(old)} releases, {old[0]} to {old[-1]}"
        with (
            recorded(session, change.remote.node, "prune", told),
            session.console.step("prune") as step,
        ):
            change.remote.remove_releases(old)
            step.done(f"{len(old)} removed")
    return old


def superfluous(found: list[Listed], keep: int) -> list[str]:
    """The releases that nobody needs, oldest first: all but the current, an unfinished one,
    and the `keep` newest that can be gone back to."""
    back = [item.note.id for item in found if item.can_go_back]
    kept = set(back[-keep:])
    kept |= {item.note.id for item in found if item.state in ("current", "unfinished")}
    # A release newer than all of those may just be on its way.
    return [item.note.id for item in found if item.note.id not in kept]


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
