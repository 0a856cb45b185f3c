"""What a deploy would change: the services as they would be deployed, compared with what runs."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from spinstack.config import release_files
from spinstack.config.interpolation import interpolate
from spinstack.remote.access import remote_stack
from spinstack.text import split_lines

if TYPE_CHECKING:
    from spinstack.config.stack import Stack
    from spinstack.platforms.base import RunningService
    from spinstack.remote.stack import RemoteStack
    from spinstack.rules.service import Service
    from spinstack.session import Session


@dataclass(frozen=True)
class Change:
    """One difference: the service, what differs (image, mounts, …), the running and the new
    value."""

    service: str
    what: str
    running: str
    wanted: str

    def as_dict(self) -> dict[str, str]:
        return asdict(self)

    def lines(self) -> list[str]:
        lines = [f"{self.service}: {self.what}"]
        lines += [f"  - {line}" for line in split_lines(self.running)]
        return lines + [f"  + {line}" for line in split_lines(self.wanted)]


def changes(session: Session) -> list[Change]:
    """The differences; an empty list if a deploy would change nothing. Raises SpinstackError if
    no release can be made."""
    release_files.check(session.directory)  # before all files are read for the images' names
    stack, destination = session.stack, session.destination
    stack.require_readable()
    with session.login_node() as node:
        remote = remote_stack(session, node)
        judged = remote.differences(remote.make_release(stack))
        if judged is not None:
            return [Change(one.object, one.what, one.running, one.wanted) for one in judged]
        there = remote.look()
        release = remote.running_release(there.current)
        content = remote.make_release(stack).content
        running = inspected(remote, [state.name for state in there.states], release)
    wanted, _ = stack.services(destination)
    values = {**stack.variables(destination), "UID": there.uid}
    same_files = there.current.rsplit("-", 1)[-1] == content
    found: list[Change] = []
    for service in wanted:
        if service.name not in running:
            found.append(Change(service.name, "new service", "", service.image))
            continue
        found += compared(service, running[service.name], there.uid)
        found += started_with(stack, service.name, running[service.name], values)
        if not same_files and any(mount.source.startswith("./") for mount in service.mounts):
            what = "files mounted from the release"
            found.append(Change(service.name, what, there.current, "a new release"))
    for name in running.keys() - {service.name for service in wanted}:
        found.append(Change(name, "is running but is not in the compose file", name, ""))
    return found


def inspected(
    stack: RemoteStack, services: Sequence[str], release: str
) -> dict[str, RunningService]:
    """Services that are known to exist, as they were started from the directory `release`."""
    found = stack.inspect(services)
    return {name: stack.platform.running(resource, release) for name, resource in found.items()}


def started_with(
    stack: Stack, name: str, running: RunningService, values: Mapping[str, str]
) -> list[Change]:
    """Changes to the command, entry point and variables of a service.

    Variables are shown by name, never with their values.
    """
    service = stack.compose.services.get(name)
    written = interpolate(service if isinstance(service, dict) else {}, values)
    wanted = stack.environment(written, {name: it for name, it in values.items() if name != "UID"})
    given = running.environment
    pairs = {
        "entrypoint": (
            shown_words(running.entrypoint),
            shown_words(written.get("entrypoint")),
        ),
        "command": (shown_words(running.command), shown_words(written.get("command"))),
        "environment names": (_joined(given), _joined(wanted)),
    }
    found = [Change(name, what, old, new) for what, (old, new) in pairs.items() if old != new]
    changed = [key for key in wanted.keys() & given.keys() if wanted[key] != given[key]]
    if changed:
        found.append(Change(name, "values of variables", "", _joined(changed)))
    return found


def shown_words(command: object) -> str:
    """A command on one line, whether it was written as a list or as a string."""
    if isinstance(command, str):
        try:
            return shlex.join(shlex.split(command))
        except ValueError:
            return command
    return shlex.join(str(word) for word in command) if isinstance(command, list) else ""


def compared(service: Service, running: RunningService, uid: str) -> list[Change]:
    """One service as it would be deployed, compared with how it was started."""
    mounts = [f"{mount.source}:{mount.target}:{mount.mode}" for mount in service.mounts]
    ports = [f"{port.outside}:{port.inside}" for port in service.ports]
    pairs = {
        "image": (running.image, service.image),
        "mounts": (_joined(running.mounts), _joined(mounts)),
        "ports": (_joined(running.ports), _joined(ports)),
        "user": (running.user, _with_uid(service.user, uid)),
        "capabilities dropped": (_joined(running.cap_drop), _joined(service.cap_drop)),
    }
    return [
        Change(service.name, what, old, new) for what, (old, new) in pairs.items() if old != new
    ]


def _with_uid(user: str, uid: str) -> str:
    from spinstack.config.stack import SOME_UID

    first, colon, rest = user.partition(":")
    return (uid or first if first == SOME_UID else first) + colon + rest


def _joined(items: Iterable[str]) -> str:
    return ", ".join(sorted(items))
