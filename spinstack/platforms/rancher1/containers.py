"""The containers of a service: running ones, and those kept from before an upgrade. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from spinstack.platforms.base import NO_CONTAINER, Container, Garbled
from spinstack.platforms.rancher1.commands import rancher
from spinstack.platforms.rancher1.output import REMOVED, is_garbled
from spinstack.text import whole_number
from spinstack.transport.command import Command, Raw, program
from spinstack.transport.script import Step, json_objects

# Prints the id of the first healthy container of a name.
_HEALTHY = Path(__file__).with_name("healthy_container.awk")


def containers_step(must: bool = False) -> Step:
    """All containers of the environment, even stopped ones; creates nothing."""
    call = rancher("ps", "--containers", "--all", "--format", "json")
    return Step("containers", (call,), must=must)


def parse(text: str, stack: str) -> dict[str, list[Container]]:
    """The stack's containers by service, from `ps --containers --format json`. Raises Garbled."""
    if is_garbled(text):
        raise Garbled(text)
    found: dict[str, list[Container]] = {}
    for entry in json_objects(text):
        told = entry.get("Container")
        if not isinstance(told, dict):
            continue
        container = _container(told)
        service = _service(container.name, stack)
        if service and container.state not in REMOVED:
            found.setdefault(service, []).append(container)
    for containers in found.values():
        containers.sort(key=lambda container: (container.number, container.created))
    return found


def _container(entry: dict[str, Any]) -> Container:
    starts = entry.get("startCount")
    return Container(
        id=str(entry.get("id") or ""),
        name=str(entry.get("name") or ""),
        state=str(entry.get("state") or ""),
        created=str(entry.get("created") or ""),
        starts=starts if isinstance(starts, int) else 0,
        message=str(entry.get("transitioningMessage") or ""),
        image=str(entry.get("imageUuid") or "").removeprefix("docker:"),
    )


def _service(name: str, stack: str) -> str:
    """`nw-desi-web-1` of the stack nw-desi belongs to web; empty for other stacks."""
    middle, _, number = name.removeprefix(f"{stack}-").rpartition("-")
    return middle if name.startswith(f"{stack}-") and whole_number(number) is not None else ""


def ask(stack: str, service: str, words: Sequence[str], seconds: int) -> Command:
    """Runs a command in a healthy container of the service; `$found` holds what the step
    `containers` printed.

    Its input is a pipe that nothing writes to and that does not end: at end-of-file the CLI
    drops output and exit code.
    """
    name = f"{stack}-{service}".replace(".", "[.]")
    pattern = f'"name":"{name}-[0-9]+"'
    find = f"awk -v name={shlex.quote(pattern)} {shlex.quote(program(_HEALTHY))}"
    run = Command("timeout", "-k", "1", str(seconds), "rancher", "exec", Raw('"$id"'), *words)
    return Command(
        Raw(f"id=$(printf '%s\\n' \"$found\" | {find});"),
        Raw(f'[ -n "$id" ] || exit {NO_CONTAINER};'),
        *run.words,
        Raw("<> <(:)"),
    )
