"""`confirm` and `rollback`: an unfinished upgrade is kept, or undone; if there is none,
`rollback` goes back to an earlier release by an upgrade of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from spinstack.deploy.plan import LeftUnfinished, Plan, must_have_two_steps
from spinstack.deploy.releases import Listed, listed
from spinstack.deploy.run import Deployment
from spinstack.errors import SpinstackError, UsageError
from spinstack.platforms.health import Watcher
from spinstack.remote import lock
from spinstack.remote.access import remote_stack
from spinstack.remote.history import place, read, record
from spinstack.remote.history.write import recorded
from spinstack.remote.lock import LockedStack
from spinstack.remote.notes import ReleaseNote
from spinstack.rules import finding
from spinstack.rules.finding import Finding
from spinstack.rules.service import ImageName
from spinstack.session import ask_if_protected
from spinstack.transport.script import Script

if TYPE_CHECKING:
    from spinstack.remote.found import Found
    from spinstack.session import Session
    from spinstack.transport.login_node import LoginNode

# Seconds that the previous containers may take to become healthy again.
BACK_SECONDS = 60


def confirm(session: Session, *, yes: bool) -> None:
    """Keep an unfinished upgrade. Raises SpinstackError if there is none, or can be none."""
    must_have_two_steps(session.platform)
    ask_if_protected(session, yes=yes)
    with lock.locked(session, "confirm") as change:
        names = _unconfirmed(change)
        session.confirm(
            f"Keep the upgrade of {names}? This removes the previous containers.", yes=yes
        )
        release = _begun(change)
        with recorded(session, change.remote.node, "confirm"), session.console.step("confirm"):
            change.remote.confirm(release)


def roll_back(session: Session, *, to_release: str, yes: bool) -> str:
    """Undo an unfinished upgrade, or else go back to an earlier release: the one asked for, or
    the last one that ran before the current one. Returns the address in the second case."""
    ask_if_protected(session, yes=yes)
    with lock.locked(session, "rollback") as change:
        may_be_open = session.dry and session.platform.two_steps
        if change.found.unconfirmed or may_be_open:
            if to_release and not session.dry:
                raise LeftUnfinished(change.found)
            _take_back(change, yes=yes)
            if not session.dry:
                return ""
        return _go_back(change, to_release, yes=yes)


@dataclass(frozen=True)
class Tried:
    """Going back to a release, tried. `note`: None if an open upgrade would be undone instead;
    `how`: what was tried, in words."""

    note: ReleaseNote | None
    findings: list[Finding]
    how: str

    @property
    def failed(self) -> bool:
        return bool(finding.errors(self.findings))


def try_out(session: Session, *, to_release: str) -> Tried:
    """What `roll_back` would do, tried as far as it changes nothing. Raises UsageError if there is
    no release to go back to."""
    with session.login_node() as node, session.console.step("try it") as step:
        remote = remote_stack(session, node)
        there = remote.look()
        if session.dry:
            return Tried(None, [], "")
        if there.unconfirmed:
            names = " and ".join(there.unconfirmed)
            how = f"an upgrade of {names} is open: a rollback starts the containers from before "
            return Tried(None, [], f"{how}it again, which are kept; nothing else is needed")
        found = listed(remote)
        before = None if to_release else _before_cut_off(session, there, found)
        ran = _ran_before(session, node, there.current)
        note = before or _target(found, to_release, there.current, ran)
        step.done(note.id)
        trial = remote.tried(note)
    gone = [one for image in trial.images for one in _gone(session, image)]
    return Tried(note, [*trial.findings, *gone], trial.how)


def _gone(session: Session, image: str) -> Iterator[Finding]:
    """Whether the registry still has an image of a release."""
    from spinstack.images import registry, registry_login

    try:
        name = ImageName.parse(image)
    except ValueError:
        return
    try:
        path = f"{name.registry}/{name.path}"
        login = registry_login.credentials(session.runner, session.engine, path)
    except SpinstackError:
        login = None
    has = registry.has(name, login)
    log_in = f"run `invoke registry.login --to {session.destination.name}` and try again"
    if has is False:
        problem = f"the registry has no {image}, or you may not see it"
        remedy = f"{log_in}; else go back to another release (`invoke releases`)"
        yield Finding("image-missing", name.registry, problem, remedy)
    elif has is None:
        problem = f"the registry does not say whether it has {image}"
        yield Finding("image-missing", name.registry, problem, log_in, "warning")


def _take_back(change: LockedStack, *, yes: bool) -> None:
    """Undo an unfinished upgrade: the previous containers run again."""
    session = change.session
    names = _unconfirmed(change)
    session.confirm(
        f"Roll back the upgrade of {names}? The previous containers run again.", yes=yes
    )
    release = _begun(change)
    with (
        recorded(session, change.remote.node, "rollback", "the open upgrade"),
        session.console.step("roll back") as step,
    ):
        services = session.stack.service_names if session.dry else change.found.unconfirmed
        change.remote.roll_back(release, services)
        step.done(names)
    if not session.dry:
        _look_after(change)


def _look_after(change: LockedStack) -> None:
    """Warn if the previous containers do not get healthy: Rancher does not wait for that."""
    watcher = Watcher(change.found.unconfirmed)
    change.remote.watch(BACK_SECONDS, watcher.take)
    if not watcher.all_up:
        change.session.console.warn(f"the previous version is not healthy ({watcher.summary})")


def _go_back(change: LockedStack, to_release: str, *, yes: bool) -> str:
    """Upgrade to an earlier release with its own files, and confirm it."""
    session = change.session
    if session.dry:
        unless = "if no upgrade is unfinished: " if session.platform.two_steps else ""
        session.console.result(f"# {unless}upgrade to an earlier release")
        note = ReleaseNote(to_release or "<release before>")
    else:
        found = listed(change.remote)
        before = None if to_release else _before_cut_off(session, change.found, found)
        ran = _ran_before(session, change.remote.node, change.found.current)
        note = before or _target(found, to_release, change.found.current, ran)
    unless = "No upgrade is open. " if session.platform.two_steps else ""
    question = f"{unless}Go back to {_named(note)}? The current release stays uploaded."
    session.confirm(question, yes=yes)
    if yes and not session.dry:
        session.console.note(f"going back to {_named(note)}")
    there = Deployment(session, change.remote, change.me, change.found, yes=yes)
    runs = change.found.states or session.dry
    return there.run(None, note, Plan.UPGRADE if runs else Plan.CREATE)


def _named(note: ReleaseNote) -> str:
    """A release and who made it, as far as known."""
    return f"release {note.id}" + (f" by {note.who} on {note.host}" if note.who else "")


def _before_cut_off(session: Session, there: Found, found: list[Listed]) -> ReleaseNote | None:
    """Where an upgrade in one step was cut off, the release that ran before it: the one that was
    confirmed last is no longer what runs. None otherwise."""
    if session.platform.two_steps or not there.unfinished:
        return None
    return next((item.note for item in found if item.note.id == there.current), None)


def _ran_before(session: Session, node: LoginNode, current: str) -> list[str]:
    """The releases that ran before, the last of them first; none if the history does not tell."""
    step = place.of(session).read()
    told = node.run(Script((step,), seconds=60)).steps
    records = record.parse(told[-1].output) if told and told[-1].ok else []
    return read.ran_before(records, current)


def _target(found: list[Listed], wanted: str, current: str, ran: Sequence[str] = ()) -> ReleaseNote:
    """The release to go back to: the one asked for, or else the one that ran before the current
    one (`ran`: as the history has them). Raises UsageError naming the possible ones."""
    possible = {item.note.id: item.note for item in found if item.can_go_back}
    contents = {name[-8:]: name for name in possible}
    known = (contents[name[-8:]] for name in ran if name[-8:] in contents)
    target = wanted or next(known, "") or _before(current, list(possible))
    if target in possible:
        return possible[target]
    if not wanted:
        what = "there is no earlier release to go back to"
    elif wanted == current:
        what = f"{wanted} is already running"
    else:
        what = f"can't go back to {wanted!r}"
    remedy = (
        f"choose one of: {', '.join(possible)}"
        if possible
        else "there is no other; fix the stack and deploy"
    )
    raise UsageError(what, remedy=remedy)


def _before(current: str, releases: list[str]) -> str:
    """The newest release that is older than the current one, or else simply the newest; empty if
    there is none. `releases`: ids, oldest first."""
    # The files that run now may have been uploaded more than once: an id ends in their hash.
    others = [name for name in releases if name[-8:] != current[-8:]]
    older = [name for name in others if name < current]
    return (older or others or [""])[-1]


def _unconfirmed(change: LockedStack) -> str:
    """The services of an unfinished upgrade, in words. Raises SpinstackError if there is none."""
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


def _begun(change: LockedStack) -> str:
    """The id of the release that the unfinished upgrade deploys, as it was noted. If it was begun
    without spinstack, the newest release has to do; raises SpinstackError if there is none."""
    if change.session.dry:
        return "<release begun>"
    if change.found.unfinished and change.found.unfinished.release:
        return change.found.unfinished.release
    releases = change.remote.releases()
    if releases:
        newest, _ = releases[-1]
        return newest.id
    raise SpinstackError(
        "the upgrade was not begun with spinstack, and no release is uploaded",
        where=change.remote.releases_place,
        remedy="finish the upgrade by hand on the login node",
    )
