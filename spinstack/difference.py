"""What a deploy would change: the services as they would be sent against what runs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from spinstack import cattle
from spinstack.changing import make_remote

if TYPE_CHECKING:
    from spinstack.remote import Remote
    from spinstack.service import Service
    from spinstack.session import Session
    from spinstack.stack import Stack


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
        remote = make_remote(session, node)
        situation = remote.look()
        running = inspected(remote, [state.name for state in situation.states])
    wanted, _ = stack.services(destination)
    release = str(remote.root / "releases" / (situation.current or "-"))
    found: list[Change] = []
    for service in wanted:
        if service.name not in running:
            found.append(Change(service.name, "new service", "", service.image))
            continue
        names = environment_names(stack, service.name)
        found += compared(service, running[service.name], names, release, situation.uid)
    for name in running.keys() - {service.name for service in wanted}:
        found.append(Change(name, "runs, and is not in the compose file", name, ""))
    return found


def inspected(remote: Remote, services: Iterable[str]) -> dict[str, Mapping[str, Any]]:
    """The launch configuration of services that are known to be there."""
    steps = [cattle.inspect_step(remote.stack, name) for name in services]
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


def parsed(output: str) -> dict[str, Any] | None:
    """The object that `inspect` printed; None for its `error …` line, which it exits 0 with."""
    for line in output.splitlines():
        if line.startswith("{"):
            try:
                value = json.loads(line)
            except ValueError:
                return None
            return value if isinstance(value, dict) else None
    return None


def environment_names(stack: Stack, service: str) -> set[str]:
    """The names of the variables that a service would be given."""
    written = stack.compose.services.get(service) or {}
    own = written.get("environment") or {}
    names = {str(item).split("=", 1)[0] for item in own}
    if written.get("env_file"):
        names |= set(stack.env) | set(stack.images)
    return names


def compared(
    service: Service,
    config: Mapping[str, Any],
    names: set[str],
    release: str,
    uid: str,
) -> list[Change]:
    """One service as it would be against its launch configuration as it is.

    Files that are mounted from the release count by their path in it: each release has its
    own copy.
    """
    pairs = {
        "image": (_text(config, "imageUuid").removeprefix("docker:"), service.image),
        "mounts": (
            _joined(_relative(item, release) for item in _items(config, "dataVolumes")),
            _joined(_mount(mount.source, mount.target, mount.mode) for mount in service.mounts),
        ),
        "ports": (
            _joined(item.removesuffix("/tcp") for item in _items(config, "ports")),
            _joined(f"{port.outside}:{port.inside}" for port in service.ports),
        ),
        "user": (_text(config, "user"), _with_uid(service.user, uid)),
        "capabilities dropped": (
            _joined(_items(config, "capDrop")),
            _joined(service.cap_drop),
        ),
        "environment names": (
            _joined(config.get("environment") or {}),
            _joined(names),
        ),
    }
    return [
        Change(service.name, what, running, wanted)
        for what, (running, wanted) in pairs.items()
        if running != wanted
    ]


def _with_uid(user: str, uid: str) -> str:
    from spinstack.stack import SOME_UID

    first, colon, rest = user.partition(":")
    return (uid or first if first == SOME_UID else first) + colon + rest


def _relative(volume: str, release: str) -> str:
    """A mount out of a release, whichever it is, as the compose file has it: `./web/…`."""
    source, _, rest = volume.partition(":")
    root, _, _ = release.rpartition("/")
    if source.startswith(root + "/"):
        source = "./" + source.removeprefix(root + "/").partition("/")[2]
    return _mount(source, *rest.split(":"))


def _mount(source: str, target: str = "", mode: str = "rw") -> str:
    return f"{source}:{target}:{mode}"


def _text(config: Mapping[str, Any], key: str) -> str:
    return str(config.get(key) or "")


def _items(config: Mapping[str, Any], key: str) -> list[str]:
    value = config.get(key)
    return [str(item) for item in value] if isinstance(value, list) else []


def _joined(items: Iterable[str]) -> str:
    return ", ".join(sorted(items))
