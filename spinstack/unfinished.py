"""An upgrade that was left between its two steps: keep it, or take it back."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from spinstack.deploy import ask_if_protected, make_remote
from spinstack.errors import SpinstackError
from spinstack.remote import Remote, Situation

if TYPE_CHECKING:
    from spinstack.session import Session


def confirm(session: Session, *, yes: bool) -> None:
    """Remove the old containers of the upgrade. Raises SpinstackError if there is none."""
    ask_if_protected(session, yes=yes)
    with session.login_node() as node:
        remote = make_remote(session, node)
        situation = _look(session, remote)
        names = ", ".join(situation.unconfirmed)
        session.confirm(f"Remove the containers from before the upgrade of {names}?", yes=yes)
        with session.console.step("confirm") as step:
            remote.confirm(_newest(session, remote))
            step.done(names)


def roll_back(session: Session, *, yes: bool) -> None:
    """Bring the old containers back. Raises SpinstackError if there is no upgrade to undo."""
    ask_if_protected(session, yes=yes)
    with session.login_node() as node:
        remote = make_remote(session, node)
        situation = _look(session, remote)
        names = ", ".join(situation.unconfirmed)
        session.confirm(f"Go back to the containers from before the upgrade of {names}?", yes=yes)
        with session.console.step("roll back") as step:
            services = session.stack.service_names if session.dry else situation.unconfirmed
            remote.roll_back(_newest(session, remote), services)
            step.done(names)


def _look(session: Session, remote: Remote) -> Situation:
    with session.console.step("log in"):
        situation = remote.look()
    if not situation.unconfirmed and not session.dry:
        raise SpinstackError(
            "there is no unfinished upgrade",
            where=f"{session.settings.stack} at {session.destination.name}",
            remedy="see `invoke status`",
        )
    return situation


def _newest(session: Session, remote: Remote) -> PurePosixPath:
    """The directory of the release that the upgrade was begun with: ids sort by age."""
    name = remote.newest_release()
    if not name and not session.dry:
        raise SpinstackError(
            "no release was uploaded",
            where=str(remote.root / "releases"),
            remedy="finish the upgrade by hand on the login node: it was not begun with spinstack",
        )
    return remote.root / "releases" / (name or "<newest release>")
