"""What outlives containers, secrets and volumes: listed, made, removed; for both the same."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from spinstack.errors import SpinstackError, UsageError
from spinstack.platforms.base import Kept
from spinstack.remote.access import connected
from spinstack.remote.history.write import recorded

if TYPE_CHECKING:
    from spinstack.platforms.client import StackClient
    from spinstack.session import Session
    from spinstack.transport.script import Step


@dataclass(frozen=True)
class Kind:
    """Secrets, or volumes. `headings`: columns of the list; `lost`: what is lost with one."""

    name: str
    headings: tuple[str, ...]
    lost: str

    def listed(self, there: StackClient) -> list[Kept]:
        """All of the environment. Raises SpinstackError if the platform does not answer."""
        step = there.platform.kept(self.name)
        return there.platform.read_kept(self.name, there.run(step).output(step.name))


def show(session: Session, kind: Kind, *, all: bool, json: bool) -> None:
    """List those of the stack, or all of the environment."""
    with connected(session) as there:
        found = kind.listed(there)
    if session.dry:
        return
    stack, destination = session.settings.stack, session.destination
    shown = found if all else of_stack(found, stack)
    if json:
        session.console.json([asdict(kept) for kept in shown])
    elif shown:
        rows = [[str(getattr(kept, key.lower())) for key in kind.headings] for kept in shown]
        session.console.table(list(kind.headings), rows)
    else:
        whose = destination.environment if all else stack
        session.console.note(f"{whose} has no {kind.name}s at {destination.name}")


def of_stack(found: Sequence[Kept], stack: str) -> list[Kept]:
    """Those that belong to the stack by their names."""
    return [
        kept
        for kept in found
        if kept.name.startswith(f"{stack}.") or stack in kept.name.split(".")[1:2]
    ]


def check_name(remedies: Sequence[str], name: str) -> None:
    """Raises UsageError where a rule forbids the name."""
    if remedies:
        raise UsageError(f"{name!r} can't be its name at Spin", remedy=remedies[0])


@contextmanager
def creating(session: Session, kind: Kind, name: str) -> Iterator[StackClient]:
    """Connected, where the name is new, for an order that is written into the history; looks
    afterwards whether it is there. Raises SpinstackError."""
    with connected(session) as there:
        if any(kept.name == name for kept in kind.listed(there)):
            raise SpinstackError(
                f"there is a {kind.name} {name} already",
                where=there.where,
                remedy=f"it can't be changed: remove it first (invoke {kind.name}.rm)",
            )
        with recorded(session, there.node, f"{kind.name}.create", name):
            yield there
            _must_be_there(there, kind, name)


def order(there: StackClient, step: Step, kind: Kind, name: str) -> None:
    """Make one. Raises SpinstackError if the platform refuses."""
    there.order(step, what=f"the {kind.name} {name} was not made")


def _must_be_there(there: StackClient, kind: Kind, name: str) -> None:
    if not there.node.dry and all(kept.name != name for kept in kind.listed(there)):
        raise SpinstackError(
            f"{there.platform.title} took {name} and does not list it",
            where=there.where,
            remedy="try again",
        )


def remove(session: Session, kind: Kind, name: str, *, yes: bool, json: bool) -> None:
    """Remove one, after a question."""
    with connected(session) as there:
        found = _find(there, kind, name)
        if found:
            question = f"Remove the {kind.name} {name} at {session.destination.name}? {kind.lost}"
            session.confirm(question, yes=yes)
            with recorded(session, there.node, f"{kind.name}.rm", name):
                _remove(there, kind, found)
    gone = {"action": f"{kind.name}.rm", "name": name, "was_there": found is not None}
    session.give(
        json, gone, f"removed {name}" if found else f"{name} is not there: nothing to remove"
    )


def _find(there: StackClient, kind: Kind, name: str) -> Kept | None:
    """The one of this name; None if there is none. In a dry run one is made up."""
    listed = kind.listed(there)
    if there.node.dry:
        return Kept(f"<id of the {kind.name}>", name)
    return next((kept for kept in listed if kept.name == name), None)


def _remove(there: StackClient, kind: Kind, kept: Kept) -> None:
    """By its id. Raises SpinstackError if it is still there."""
    what = f"the {kind.name} {kept.name} was not removed"
    there.order(there.platform.remove_kept(kind.name, kept.id), what=what)
    for other in kind.listed(there):
        if other.id == kept.id and not there.platform.is_going(other):
            remedy = "see whether a service still uses it"
            raise SpinstackError(what, where=there.where, remedy=remedy)
