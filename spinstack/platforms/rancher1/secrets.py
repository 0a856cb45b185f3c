"""Secrets and volumes of a stack in Rancher: list, create, remove; named by Spin's rules.

A secret's value goes over the connection's standard input, is on the login node in a file that
only its owner can read, for as long as the CLI needs to read it, and is in no command line,
echo or log.
"""

from __future__ import annotations

import base64
from typing import Any

from spinstack.platforms.base import Garbled, Kept
from spinstack.platforms.rancher1.commands import rancher
from spinstack.platforms.rancher1.output import REMOVED, is_garbled
from spinstack.transport.command import Command, Raw, Secret
from spinstack.transport.script import Step, json_objects

# States of what is being removed, or was.
_GOING = ("removing", *REMOVED)


def parse(output: str, key: str) -> list[Kept]:
    """`ls --format json`: an object a line, with the resource below `key`. Raises Garbled."""
    if is_garbled(output):
        raise Garbled(output)
    found = []
    for entry in json_objects(output):
        resource = entry.get(key)
        if isinstance(resource, dict) and resource.get("name"):
            found.append(_kept(resource))
    there = [kept for kept in found if kept.state not in _GOING]
    return sorted(there, key=lambda kept: (kept.name, kept.id))


def _kept(resource: dict[str, Any]) -> Kept:
    def text(key: str) -> str:
        return str(resource.get(key) or "")

    return Kept(text("id"), text("name"), text("created"), text("state"), text("driver"))


def create_secret_step(name: str, value: bytes) -> Step:
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


def list_step(kind: str) -> Step:
    """All secrets or volumes of the environment; a secret's value can't be read back. A volume
    is `inactive`, and not listed without `--all`, until a container mounts it."""
    every = ("--all",) if kind == "volume" else ()
    return Step(f"{kind}s", (rancher(f"{kind}s", "ls", *every, "--format", "json"),))


def create_volume_step(name: str, driver: str) -> Step:
    call = rancher("volumes", "create", "--driver", driver, name)
    return Step("create the volume", (call,), must=False)


def remove_step(kind: str, id: str) -> Step:
    """Version 0.6.7 of the CLI has no `secrets rm`; its `rm` takes any type."""
    return Step(f"remove the {kind}", (rancher("rm", "--type", kind, id),), must=False)
