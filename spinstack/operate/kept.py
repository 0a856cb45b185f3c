"""What outlives containers, secrets and volumes: both are listed, created and removed alike."""

from __future__ import annotations

from collections.abc import Sequence
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
    """Secrets or volumes. `headings`: columns of the list; `lost`: what is lost with one."""

    name: str
    headings: tuple[str, ...]
    lost: str

    def listed(self, there: StackClient) -> list[Kept]:
        """All in the environment. Raises SpinstackError if the platform does not answer."""
        step = there.platform.kept(self.name)
        done = there.run(step)[step.name]
        return there.read(done, lambda text: there.platform.read_kept(self.name, text))


def show(session: Session, kind: Kind, *, all: bool, json: bool) -> None:
    """List those of the stack, or all in the environment."""
    with connected(session) as there:
        found = kind.listed(there)
    if session.dry:
        return
    stack, destination = session.settings.stack, session.destination
    shown = found if all else of_stack(found, stack)
    if json:
        session.console.json([asdict(kept) for kept in shown])
    elif shown:
        used = ["USED_BY"] if any(kept.used_by for kept in shown) else []
        headings = [*kind.headings, *used]
        rows = [[str(getattr(kept, key.lower())) for key in headings] for kept in shown]
        session.console.table([key.replace("_", " ") for key in headings], rows)
    else:
        whose = destination.environment if all else stack
        session.console.note(f"{whose} has no {kind.name}s at {destination.name}")


def of_stack(found: Sequence[Kept], stack: str) -> list[Kept]:
    """Those that belong to the stack by their names, or as the platform says."""
    return [
        kept
        for kept in found
        if kept.stack == stack
        or kept.name.startswith(f"{stack}.")
        or stack in kept.name.split(".")[1:2]
    ]


def is_declared(session: Session, section: str, name: str) -> bool:
    """Whether the compose file has it in its section `secrets` or `volumes` already."""
    declared = session.stack.compose.data.get(section)
    return isinstance(declared, dict) and name in declared


def check_name(remedies: Sequence[str], name: str) -> None:
    """Raises UsageError if a rule forbids the name."""
    if remedies:
        raise UsageError(f"{name!r} is not a valid name at Spin", remedy=remedies[0])


def create(session: Session, kind: Kind, name: str, step: Step) -> None:
    """Create one with a new name by the platform's step, record it in the history, and check
    that it exists then. Raises SpinstackError."""
    with connected(session) as there:
        if any(kept.name == name for kept in kind.listed(there)):
            raise SpinstackError(
                f"the {kind.name} {name} already exists",
                where=there.where,
                remedy=f"remove it first (`invoke {kind.name}.rm`); it can't be changed",
            )
        with recorded(session, there.node, f"{kind.name}.create", name):
            there.order(step, what=f"the {kind.name} {name} was not created")
            _must_be_there(there, kind, name)


def _must_be_there(there: StackClient, kind: Kind, name: str) -> None:
    if not there.node.dry and all(kept.name != name for kept in kind.listed(there)):
        raise SpinstackError(
            f"{there.platform.title} accepted {name} but does not list it",
            where=there.where,
            remedy=f"see `invoke {kind.name}.list` before you run the command again",
        )


def remove(session: Session, kind: Kind, name: str, *, yes: bool, json: bool) -> None:
    """Remove one of the stack's, after asking. Raises UsageError for another stack's."""
    with connected(session) as there:
        found = _named(there, kind, name)
        stack = session.settings.stack
        if found and not session.dry and not of_stack(found, stack):
            raise UsageError(
                f"the {kind.name} {name} does not belong to {stack}",
                remedy=f"`invoke {kind.name}.list` names those that do",
            )
        if found:
            question = f"Remove the {kind.name} {name} at {session.destination.name}? {kind.lost}"
            session.confirm(question, yes=yes)
            with recorded(session, there.node, f"{kind.name}.rm", name):
                _remove(there, kind, found)
    gone = {"action": f"{kind.name}.rm", "name": name, "was_there": bool(found)}
    session.give(
        json, gone, f"removed {name}" if found else f"{name} does not exist; nothing to remove"
    )


def _named(there: StackClient, kind: Kind, name: str) -> list[Kept]:
    """Those with this name, of which there may be several. A dry run makes one up."""
    listed = kind.listed(there)
    if there.node.dry:
        return [Kept(f"<id of the {kind.name}>", name)]
    return [kept for kept in listed if kept.name == name]


def _remove(there: StackClient, kind: Kind, found: Sequence[Kept]) -> None:
    """By their ids. Raises SpinstackError if one is still there."""
    what = f"the {kind.name} {found[0].name} was not removed"
    for kept in found:
        there.order(there.platform.remove_kept(kind.name, kept.id), what=what)
    left = {kept.id for kept in kind.listed(there)}
    if any(kept.id in left for kept in found):
        remedy = "remove it from the services that still use it, then run the command again"
        raise SpinstackError(what, where=there.where, remedy=remedy)
