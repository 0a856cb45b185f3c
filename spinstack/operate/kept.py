"""Secrets and volumes at the destination: found, made, removed; for both kinds the same."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from spinstack.platforms.base import Thing

if TYPE_CHECKING:
    from spinstack.session import Session
from collections.abc import Sequence

from spinstack.errors import SpinstackError, UsageError
from spinstack.platforms.client import StackClient
from spinstack.platforms.rancher1.commands import rancher
from spinstack.platforms.rancher1.secrets import create_secret_step, parse
from spinstack.transport.script import Step


def show_listed(
    session: Session, kind: str, found: list[Thing], all: bool, json: bool, headings: list[str]
) -> None:
    if session.dry:
        return
    stack, destination = session.settings.stack, session.destination
    shown = found if all else of_stack(found, stack)
    if json:
        session.console.json([asdict(thing) for thing in shown])
    elif shown:
        rows = [[str(getattr(thing, key.lower())) for key in headings] for thing in shown]
        session.console.table(headings, rows)
    else:
        whose = destination.environment if all else stack
        session.console.note(f"{whose} has no {kind} at {destination.name}")


def refuse(remedies: Sequence[str], name: str) -> None:
    if remedies:
        raise UsageError(f"{name!r} can't be its name at Spin", remedy=remedies[0])


def of_stack(things: Sequence[Thing], stack: str) -> list[Thing]:
    """Those that belong to the stack by their names."""
    return [
        thing
        for thing in things
        if thing.name.startswith(f"{stack}.") or stack in thing.name.split(".")[1:2]
    ]


def secrets(there: StackClient) -> list[Thing]:
    """All secrets of the environment, without their values, which nobody can read back."""
    return _list(there, "secrets", "Secret")


def volumes(there: StackClient) -> list[Thing]:
    return _list(there, "volumes", "Volume")


def _list(there: StackClient, kind: str, key: str) -> list[Thing]:
    step = Step(kind, (rancher(kind, "ls", "--format", "json"),), must=True)
    return parse(there.run(step).output(kind), key)


def create_secret(there: StackClient, name: str, value: bytes) -> None:
    """Make one of a new name. Raises SpinstackError if Rancher refuses."""
    there.order(create_secret_step(name, value), what=f"the secret {name} was not made")
    _must_be_there(there, secrets(there), name)


def create_volume(there: StackClient, name: str, driver: str) -> None:
    """Make one of a new name. Raises SpinstackError if Rancher refuses."""
    call = rancher("volumes", "create", "--driver", driver, name)
    step = Step("create the volume", (call,), must=False)
    there.order(step, what=f"the volume {name} was not made")
    _must_be_there(there, volumes(there), name)


def remove(there: StackClient, kind: str, thing: Thing) -> None:
    """Remove a `secret` or a `volume`, by its id. Raises SpinstackError if it is still there.

    Version 0.6.7 of the CLI has no `secrets rm`; its `rm` takes any type.
    """
    step = Step(f"remove the {kind}", (rancher("rm", "--type", kind, thing.id),), must=False)
    what = f"the {kind} {thing.name} was not removed"
    there.order(step, what=what)
    left = _list(there, f"{kind}s", kind.capitalize())
    if any(other.id == thing.id and other.state not in _GOING for other in left):
        raise SpinstackError(what, where=there.where, remedy="see whether a service still has it")


# States of what is on its way out.
_GOING = ("removing", "removed", "purging", "purged")


def find(there: StackClient, things: Sequence[Thing], name: str, kind: str) -> Thing | None:
    """The thing of this name; None if there is none. In a dry run one is made up."""
    if there.node.dry:
        return Thing(f"<id of the {kind}>", name)
    return next((thing for thing in things if thing.name == name), None)


def must_be_new(there: StackClient, things: Sequence[Thing], name: str, what: str) -> None:
    """Raises SpinstackError if one of the things has this name. `what`: `a secret`."""
    if any(thing.name == name for thing in things):
        raise SpinstackError(
            f"there is {what} {name} already",
            where=there.where,
            remedy=f"it can't be changed: remove it first (invoke {what.split()[1]}.rm)",
        )


def _must_be_there(there: StackClient, things: Sequence[Thing], name: str) -> None:
    if not there.node.dry and all(thing.name != name for thing in things):
        raise SpinstackError(
            f"Rancher took {name} and does not list it", where=there.where, remedy="try again"
        )
