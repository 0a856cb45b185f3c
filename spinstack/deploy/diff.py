"""What a deploy would change: the services as they would be sent against what runs."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from spinstack.config import compose
from spinstack.platforms.rancher1 import commands
from spinstack.remote import upload
from spinstack.remote.access import remote_stack

if TYPE_CHECKING:
    from spinstack.config.stack import Stack
    from spinstack.remote.stack import RemoteStack
    from spinstack.rules.service import Service
    from spinstack.session import Session
from spinstack.platforms.rancher1.inspect import items_of, mount_text, parsed, relative_to, text_of


@dataclass(frozen=True)
class Change:
    """One difference: service, what (image, mounts, …), as it runs, as it would be."""

    service: str
    what: str
    running: str
    wanted: str

    def as_dict(self) -> dict[str, str]:
        return asdict(self)

    def lines(self) -> list[str]:
        lines = [f"{self.service}: {self.what}"]
        lines += [f"  - {self.running}"] if self.running else []
        return lines + ([f"  + {self.wanted}"] if self.wanted else [])


def changes(session: Session) -> list[Change]:
    """What differs; an empty list if a deploy would change nothing."""
    stack, destination = session.stack, session.destination
    with session.login_node() as node:
        remote = remote_stack(session, node)
        there = remote.look()
        running = inspected(remote, [state.name for state in there.states])
    wanted, _ = stack.services(destination)
    values = {**stack.variables(destination), "UID": there.uid}
    content = upload.make(stack, destination).content
    same_files = there.current.rsplit("-", 1)[-1] == content
    directory = str(remote.root / "releases" / (there.current or "-"))
    found: list[Change] = []
    for service in wanted:
        if service.name not in running:
            found.append(Change(service.name, "new service", "", service.image))
            continue
        config = running[service.name]
        found += compared(service, config, directory, there.uid)
        found += started_with(stack, service.name, config, values)
        if not same_files and any(mount.source.startswith("./") for mount in service.mounts):
            what = "files mounted from the release"
            found.append(Change(service.name, what, there.current, "a new release"))
    for name in running.keys() - {service.name for service in wanted}:
        found.append(Change(name, "runs, and is not in the compose file", name, ""))
    return found


def inspected(remote: RemoteStack, services: Iterable[str]) -> dict[str, Mapping[str, Any]]:
    """The launch configuration of services that are known to be there."""
    steps = [commands.inspect_step(remote.stack, name) for name in services]
    if not steps:
        return {}
    outputs = remote.run(steps)
    found: dict[str, Mapping[str, Any]] = {}
    for name, step in zip(services, steps, strict=True):
        value = parsed(outputs.output(step.name))
        if value is not None:
            config = value.get("launchConfig")
            found[name] = config if isinstance(config, dict) else {}
    return found


def started_with(
    stack: Stack, name: str, config: Mapping[str, Any], values: Mapping[str, str]
) -> list[Change]:
    """Command, entry point and variables of a service as they would be and as they are.

    Of variables the names are told, never the values.
    """
    written = compose.interpolate(stack.compose.services.get(name) or {}, values)
    wanted = environment(written, {key: value for key, value in values.items() if key != "UID"})
    running = {str(k): str(v) for k, v in (config.get("environment") or {}).items()}
    pairs = {
        "entrypoint": (
            shown_words(config.get("entryPoint")),
            shown_words(written.get("entrypoint")),
        ),
        "command": (shown_words(config.get("command")), shown_words(written.get("command"))),
        "environment names": (_joined(running), _joined(wanted)),
    }
    found = [Change(name, what, old, new) for what, (old, new) in pairs.items() if old != new]
    changed = [key for key in wanted.keys() & running.keys() if wanted[key] != running[key]]
    if changed:
        found.append(Change(name, "values of variables", "", _joined(changed)))
    return found


def environment(written: Mapping[str, Any], env_file: Mapping[str, str]) -> dict[str, str]:
    """The variables that a service would be given: its env file's, then its own."""
    given = dict(env_file) if written.get("env_file") else {}
    own = written.get("environment") or {}
    pairs = own.items() if isinstance(own, dict) else (str(item).split("=", 1) for item in own)
    for pair in pairs:
        name, *value = pair
        if value:
            given[str(name)] = "" if value[0] is None else str(value[0])
    return given


def shown_words(command: object) -> str:
    """A command as one line, whether it was written as a list or as a line."""
    if isinstance(command, str):
        try:
            return shlex.join(shlex.split(command))
        except ValueError:
            return command
    return shlex.join(str(word) for word in command) if isinstance(command, list) else ""


def compared(
    service: Service,
    config: Mapping[str, Any],
    directory: str,
    uid: str,
) -> list[Change]:
    """One service as it would be against its launch configuration as it is.

    Files that are mounted from the release count by their path in it: each release has its
    own copy.
    """
    pairs = {
        "image": (text_of(config, "imageUuid").removeprefix("docker:"), service.image),
        "mounts": (
            _joined(relative_to(item, directory) for item in items_of(config, "dataVolumes")),
            _joined(mount_text(mount.source, mount.target, mount.mode) for mount in service.mounts),
        ),
        "ports": (
            _joined(item.removesuffix("/tcp") for item in items_of(config, "ports")),
            _joined(f"{port.outside}:{port.inside}" for port in service.ports),
        ),
        "user": (text_of(config, "user"), _with_uid(service.user, uid)),
        "capabilities dropped": (
            _joined(items_of(config, "capDrop")),
            _joined(service.cap_drop),
        ),
    }
    return [
        Change(service.name, what, running, wanted)
        for what, (running, wanted) in pairs.items()
        if running != wanted
    ]


def _with_uid(user: str, uid: str) -> str:
    from spinstack.config.stack import SOME_UID

    first, colon, rest = user.partition(":")
    return (uid or first if first == SOME_UID else first) + colon + rest


def _joined(items: Iterable[str]) -> str:
    return ", ".join(sorted(items))
