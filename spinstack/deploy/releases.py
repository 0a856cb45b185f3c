"""The releases at a destination, and which of them are no longer needed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from spinstack.remote.access import remote_stack
from spinstack.remote.notes import ReleaseNote
from spinstack.remote.stack import RemoteStack

if TYPE_CHECKING:
    from spinstack.session import Session


# Releases that `prune` keeps for a rollback, besides the running one.
KEPT = 5


@dataclass(frozen=True)
class Listed:
    """A release with its place in the history: `state` is current, unfinished, confirmed (it
    ran, and can be rolled back to) or failed (it was never confirmed)."""

    note: ReleaseNote
    state: str

    @property
    def can_go_back(self) -> bool:
        return self.state == "confirmed"


def listed(remote: RemoteStack) -> list[Listed]:
    """The releases at the destination, oldest first."""
    there = remote.look()
    begun = there.unfinished.release if there.unfinished else ""
    # In one step what was begun runs already, also if it was cut off: no state says so.
    is_open = bool(there.unconfirmed) or not remote.platform.two_steps
    # Without access it was not looked at.
    runs = bool(there.states) or not there.has_access
    found = []
    for note, confirmed in remote.releases():
        state = "confirmed" if confirmed else "failed"
        if note.id == there.current and runs:
            state = "current"
        elif note.id == begun and is_open:
            state = "unfinished"
        found.append(Listed(note, state))
    return found


def releases(session: Session) -> list[Listed]:
    """The releases at the session's destination, oldest first."""
    with session.login_node() as node:
        return listed(remote_stack(session, node))


def superfluous(found: list[Listed], keep: int) -> list[str]:
    """The releases that can go, oldest first: all but the current one, an unfinished one, and
    the `keep` newest that can be rolled back to."""
    back = [item.note.id for item in found if item.can_go_back]
    kept = set(back[-keep:])
    kept |= {item.note.id for item in found if item.state in ("current", "unfinished")}
    return [item.note.id for item in found if item.note.id not in kept]
