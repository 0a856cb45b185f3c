"""Commands inside a running container."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from spinstack.errors import SpinstackError, UsageError
from spinstack.operate.control import chosen
from spinstack.operate.selection import one_service
from spinstack.platforms import base
from spinstack.platforms.base import Container
from spinstack.platforms.client import StackClient
from spinstack.remote.access import connected
from spinstack.transport import relay
from spinstack.transport.command import joined

if TYPE_CHECKING:
    from spinstack.session import Session
    from spinstack.transport.channel import Stream


def words(command: str) -> list[str]:
    """The words of a command line, as a shell splits them. Raises UsageError."""
    try:
        found = shlex.split(command)
    except ValueError as error:
        raise UsageError(
            f"can't parse the command: {error}", where=command, remedy="close the quotes"
        ) from None
    if not found:
        example = "`invoke exec --service app --command 'python -V'`"
        raise UsageError("no command given", remedy=f"give one, as in: {example}")
    return found


def find(there: StackClient, service: str, number: int) -> Container:
    """The running container of a service; the one with this number unless it is 0.

    By its id, never by its name: an upgrade keeps an old container of the same name, and the CLI
    would ask for ever which one is meant. Raises SpinstackError if none is running.
    """
    platform = there.platform
    listing, listed = platform.states(), platform.containers(must=True)
    result = there.run(listing, listed)
    if there.node.dry:
        return Container("<id of the container>", f"{there.stack}-{service}-1", "running")
    states = there.read_states(result.output(listing.name))
    chosen(states, service, there.stack)
    found = there.read_containers(result.output(listed.name)).get(service, [])
    running = base.running(found)
    for container in running:
        if number in (0, container.number):
            return container
    raise _none(there, service, number, running, states)


def _none(
    there: StackClient,
    service: str,
    number: int,
    running: Sequence[Container],
    states: Sequence[base.ServiceState],
) -> SpinstackError:
    if running:
        numbers = ", ".join(str(container.number) for container in running)
        return UsageError(
            f"{service} has no container {number}", remedy=f"choose one of: --number {numbers}"
        )
    state = next((state for state in states if state.name == service), None)
    return SpinstackError(
        f"no container of {service} is running (it is {state.shown if state else 'not there'})",
        where=there.where,
        remedy="run `invoke start`"
        if state and state.stopped
        else "see `invoke status` and `invoke logs`",
    )


def run(
    there: StackClient,
    container: Container,
    command: Sequence[str],
    *,
    terminal: bool,
    input: bytes = b"",
    stream: Stream | None = None,
) -> int:
    """Run a command in a container, connected to this process or to a stream. Returns its exit
    code."""
    prepare = joined(there.ready.commands, "&&")
    size = base.UNTIL_END if stream and stream.source else len(input)
    call = there.platform.exec(container, command, terminal=terminal, input_bytes=size)
    return there.node.interact(prepare, call, terminal=terminal, input=input, stream=stream)


def shell(session: Session, service: str, number: int) -> None:
    """Open a shell in a service's container; its exit code is the task's."""
    name = one_service(session, service)
    if not relay.on_terminal() and not session.dry:
        raise UsageError(
            "a shell needs a terminal",
            remedy=f"run a command instead: `invoke exec --service {name} --command '…'`",
        )
    _connect(session, name, list(session.platform.shell()), number, terminal=True)


def execute(
    session: Session, service: str, command: str, number: int, *, input: str, plain: bool
) -> None:
    """Run a command in a service's container; its exit code is the task's."""
    split = words(command)
    name = one_service(session, service)
    data = _input(session, input)
    terminal = relay.on_terminal() and not input and not plain
    _connect(session, name, split, number, terminal=terminal, data=data)


def _connect(
    session: Session,
    service: str,
    words: list[str],
    number: int,
    *,
    terminal: bool,
    data: bytes = b"",
) -> None:
    with connected(session) as there:
        container = find(there, service, number)
        code = run(there, container, words, terminal=terminal, input=data)
    if code:
        from invoke.exceptions import Exit

        raise Exit(code=code)


def _input(session: Session, source: str) -> bytes:
    """What the command gets as standard input. Raises UsageError."""
    if not source or session.dry:
        return b""
    try:
        data = sys.stdin.buffer.read() if source == "-" else Path(source).read_bytes()
    except OSError as error:
        raise UsageError(
            f"can't read the input: {error.strerror}",
            where=source,
            remedy="give --input a file that you can read, or - for standard input",
        ) from None
    if len(data) > session.platform.largest_input:
        raise UsageError(
            f"{len(data)} bytes of input are too many: {session.platform.program} would hang",
            where=source,
            remedy="copy the file into a directory that the service mounts",
        )
    return data
