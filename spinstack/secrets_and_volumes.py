"""Secrets and volumes of a stack at Rancher: listed, made, removed; named by Spin's rules.

A secret's value travels on standard input of the connection, stands on the login node in a
file that only its owner can read, for as long as the CLI needs to read it, and is in no
command line, echo or log.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from spinstack import naming
from spinstack.cattle import rancher
from spinstack.command import Command, Raw, Secret
from spinstack.errors import SpinstackError, UsageError
from spinstack.on_rancher import OnRancher
from spinstack.script import Step

# A password, a key, a certificate chain: nothing larger belongs into a secret.
LARGEST_VALUE = 100_000
# The driver of Spin's own storage for volumes.
# Source: docs.nersc.gov, Spin reference guide, "Storage".
DRIVER = "rancher-nfs"


@dataclass(frozen=True)
class Thing:
    """A secret or a volume as Rancher lists it. `created`: ISO 8601; empty for volumes."""

    id: str
    name: str
    created: str = ""
    state: str = ""
    driver: str = ""


def secret_name(name: str, stack: str, service: str, services: Collection[str]) -> str:
    """The whole name: `app.nw-desi.password` for `password` of app, `nw-desi.password` for
    all services. A name that is whole already stays. Raises UsageError."""
    for prefix in (f"{stack}.", *(f"{one}.{stack}." for one in services)):
        if name.startswith(prefix):
            whole = name
            break
    else:
        whole = f"{service}.{stack}.{name}" if service else f"{stack}.{name}"
    _refuse([found.remedy for found in naming.secret_name(whole, stack, services)], whole)
    return whole


def volume_name(name: str, stack: str, service: str, services: Collection[str]) -> str:
    """`app.nw-desi`, from the service or as it is. Raises UsageError."""
    whole = name or f"{service}.{stack}"
    _refuse([found.remedy for found in naming.volume_name(whole, stack, services)], whole)
    return whole


def _refuse(remedies: Sequence[str], name: str) -> None:
    if remedies:
        raise UsageError(f"{name!r} can't be its name at Spin", remedy=remedies[0])


def of_stack(things: Sequence[Thing], stack: str) -> list[Thing]:
    """Those that belong to the stack by their names."""
    return [
        thing
        for thing in things
        if thing.name.startswith(f"{stack}.") or stack in thing.name.split(".")[1:2]
    ]


def secrets(there: OnRancher) -> list[Thing]:
    """All secrets of the environment, without their values, which nobody can read back."""
    return _list(there, "secrets", "Secret")


def volumes(there: OnRancher) -> list[Thing]:
    return _list(there, "volumes", "Volume")


def _list(there: OnRancher, kind: str, key: str) -> list[Thing]:
    step = Step(kind, (rancher(kind, "ls", "--format", "json"),), must=True)
    return parse(there.run(step).output(kind), key)


def parse(output: str, key: str) -> list[Thing]:
    """`ls --format json`: an object a line, with the resource below `key`."""
    found = []
    for line in output.splitlines():
        try:
            resource = json.loads(line).get(key) if line.startswith("{") else None
        except json.JSONDecodeError:
            continue
        if isinstance(resource, dict) and resource.get("name"):
            found.append(_thing(resource))
    return sorted(found, key=lambda thing: thing.name)


def _thing(resource: dict[str, Any]) -> Thing:
    def text(key: str) -> str:
        return str(resource.get(key) or "")

    return Thing(text("id"), text("name"), text("created"), text("state"), text("driver"))


def check_value(value: bytes) -> None:
    """Raises UsageError for what can't be meant."""
    if not value:
        raise UsageError("the value is empty", remedy="--file PATH, or give it on standard input")
    if len(value) > LARGEST_VALUE:
        raise UsageError(
            f"{len(value)} bytes are too many for a secret",
            remedy=f"{LARGEST_VALUE} at most: mount a file of a directory instead",
        )


def create_secret(there: OnRancher, name: str, value: bytes) -> None:
    """Make one of a new name. Raises SpinstackError if Rancher refuses."""
    there.order(_create_step(name, value), what=f"the secret {name} was not made")
    _must_be_there(there, secrets(there), name)


def _create_step(name: str, value: bytes) -> Step:
    """printf is a builtin of bash, so the value is in no process's arguments. The trap
    removes the file however the shell ends."""
    packed = Secret(base64.b64encode(value).decode())
    create = rancher("secrets", "create", name, "FILE").script()
    create = create.removesuffix("FILE") + '"$dir/value"'
    lines = (
        Command(Raw("(umask 077")),
        Command(Raw("dir=$(mktemp -d)")),
        Command(Raw("trap 'rm -rf \"$dir\"' EXIT")),
        Command(Raw("trap 'exit 1' HUP INT TERM PIPE")),
        Command(
            *("printf", "%s", packed, Raw("|"), "base64", "-d"),
            *(Raw(">"), Raw('"$dir/value"')),
        ),
        Command(Raw(f"{create})")),
    )
    return Step("create the secret", lines, must=False)


def create_volume(there: OnRancher, name: str, driver: str) -> None:
    """Make one of a new name. Raises SpinstackError if Rancher refuses."""
    call = rancher("volumes", "create", "--driver", driver, name)
    step = Step("create the volume", (call,), must=False)
    there.order(step, what=f"the volume {name} was not made")
    _must_be_there(there, volumes(there), name)


def remove(there: OnRancher, kind: str, thing: Thing) -> None:
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


def find(there: OnRancher, things: Sequence[Thing], name: str, kind: str) -> Thing | None:
    """The thing of this name; None if there is none. In a dry run one is made up."""
    if there.node.dry:
        return Thing(f"<id of the {kind}>", name)
    return next((thing for thing in things if thing.name == name), None)


def must_be_new(there: OnRancher, things: Sequence[Thing], name: str, what: str) -> None:
    """Raises SpinstackError if one of the things has this name. `what`: `a secret`."""
    if any(thing.name == name for thing in things):
        raise SpinstackError(
            f"there is {what} {name} already",
            where=there.where,
            remedy=f"it can't be changed: remove it first (invoke {what.split()[1]}.rm)",
        )


def _must_be_there(there: OnRancher, things: Sequence[Thing], name: str) -> None:
    if not there.node.dry and all(thing.name != name for thing in things):
        raise SpinstackError(
            f"Rancher took {name} and does not list it", where=there.where, remedy="try again"
        )
