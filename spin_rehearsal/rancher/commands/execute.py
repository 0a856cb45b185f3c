"""`rancher exec`: a command in a container, with the manners of `docker exec`.

The real client starts the local `docker` program; here the API's stream takes its place.
As there, standard input at end-of-file tears the connection down: output and exit code that
have not arrived by then are lost.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any, NamedTuple, NoReturn

from ..api import Project, Resource
from ..failure import Exit, Failure
from ..flags import Parsed
from ..lookup import containers_of, lookup
from ..menu import select
from ..session import Session

_DOCKER_USAGE = 125


class _Call(NamedTuple):
    name: str
    command: list[str]
    tty: bool
    user: str
    environment: list[str]
    working_dir: str


def run(session: Session, given: Parsed) -> int:
    """Returns the exit code of the command. Raises Failure for an unknown name."""
    call = _parsed(given.names)
    if not call.name:
        raise Failure("Please pass a container name")
    container = _container(session.project, call.name)
    if not call.command:
        _docker_says('"docker exec" requires at least 2 arguments.', 1)
    if call.tty and not sys.stdin.isatty():
        _docker_says("the input device is not a TTY", 1)
    from ..terminal import converse

    link, begun = session.project.execute(container["id"], _body(call))
    return converse(link, begun, raw=call.tty)


def _parsed(words: Sequence[str]) -> _Call:
    """Options first, then a name and a command. A value must be joined with `=`."""
    options: dict[str, str] = {}
    environment: list[str] = []
    rest = list(words)
    while rest and rest[0].startswith("-"):
        name, _, value = rest.pop(0).partition("=")
        for key in _options(name):
            options[key] = value
            if key == "env":
                environment.append(value)
    return _Call(
        rest[0] if rest else "",
        rest[1:],
        "t" in options,
        options.get("user", ""),
        environment,
        options.get("workdir", ""),
    )


_OPTIONS = {
    "-u": "user",
    "--user": "user",
    "-e": "env",
    "--env": "env",
    "-w": "workdir",
    "--workdir": "workdir",
    "--interactive": "i",
    "--tty": "t",
}


def _options(name: str) -> list[str]:
    """The keys that a word stands for; short switches may be joined: `-it` is two."""
    if name in _OPTIONS:
        return [_OPTIONS[name]]
    if len(name) > 1 and set(name[1:]) <= set("it"):
        return list(name[1:])
    return _docker_says(f"unknown flag: {name}", _DOCKER_USAGE)


def _docker_says(message: str, code: int) -> NoReturn:
    sys.stderr.write(message + "\n")
    raise Exit(code)


def _container(project: Project, name: str) -> Resource:
    found = lookup(project, name, ("container", "service"))
    if found["type"] == "container":
        return found
    containers = containers_of(project, found)
    if not containers:
        raise Failure(f"Not found: {name}")
    if len(containers) == 1:
        return containers[0]
    choices = [f"{item['name']} ({item.get('primaryIpAddress') or ''})" for item in containers]
    return containers[select("Containers:", choices)]


def _body(call: _Call) -> dict[str, Any]:
    from ..terminal import window_size

    command = call.command
    if call.environment:
        command = ["env", *call.environment, *command]
    if call.working_dir:
        # The API has no field for it, nor for variables: the container's own tools do it.
        command = ["sh", "-c", 'cd "$0" && exec "$@"', call.working_dir, *command]
    body: dict[str, Any] = {"command": command, "tty": call.tty, "interactive": True}
    if call.user:
        body["user"] = call.user
    if call.tty:
        body["rows"], body["columns"] = window_size()
    return body
