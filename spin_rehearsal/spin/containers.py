"""Command lines of the container engine, from typed values. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from spin_rehearsal.spin.launch import Launch
from spinstack.rules.service import Mount, Port
from spinstack.transport.command import Command

# The label by which everything of one rehearsal is found again.
OWNER_LABEL = "org.spinstack.rehearsal"


@dataclass(frozen=True)
class Place:
    """Where a container goes and what it is called; `labels` say whose it is."""

    prefix: str
    engine_name: str
    api_name: str
    network: str
    aliases: tuple[str, ...]
    node_address: str
    labels: tuple[tuple[str, str], ...]


def create(engine: str, launch: Launch, place: Place, env_file: Path) -> Command:
    """Makes a container without starting it. Values of variables stand in `env_file` only.

    No restart policy: starting again is the business of the service, which knows states
    in which nothing must be started.
    """
    options = [
        *(f"--name={place.engine_name}", f"--hostname={launch.hostname or place.api_name}"),
        *("--pull=never", f"--env-file={env_file}", f"--network={place.network}"),
        *(f"--network-alias={alias}" for alias in place.aliases),
        *(f"--label={key}={value}" for key, value in launch.labels.items()),
        *(f"--label={key}={value}" for key, value in place.labels),
        *_rights(launch),
        *_files(launch, place),
        *(f"--publish={published(port, place.node_address)}" for port in launch.ports),
    ]
    if launch.working_dir:
        options.append(f"--workdir={launch.working_dir}")
    if launch.entrypoint:
        options.append(f"--entrypoint={launch.entrypoint[0]}")
    words = (*launch.entrypoint[1:], *launch.command)
    return Command(engine, "create", *options, launch.image, *words)


def _rights(launch: Launch) -> list[str]:
    user = [f"--user={launch.user}"] if launch.user else []
    return [
        *user,
        *(f"--group-add={group}" for group in launch.group_add),
        *(f"--cap-drop={capability}" for capability in launch.cap_drop),
        *(f"--cap-add={capability}" for capability in launch.cap_add),
    ]


def _files(launch: Launch, place: Place) -> list[str]:
    read_only = ["--read-only"] if launch.read_only else []
    return [
        *read_only,
        *(f"--tmpfs={path}:{options}".rstrip(":") for path, options in launch.tmpfs.items()),
        *(f"--volume={volume(mount, place.prefix)}" for mount in launch.mounts),
    ]


def volume(mount: Mount, prefix: str) -> str:
    """A mount in the engine's words: a named volume is called after the rehearsal."""
    if not mount.source:
        return mount.target
    source = mount.source if mount.source.startswith("/") else volume_name(mount.source, prefix)
    return f"{source}:{mount.target}:{mount.mode}"


def volume_name(name: str, prefix: str) -> str:
    return f"{prefix}-{name.lstrip('./').replace('/', '-')}"


def published(port: Port, address: str) -> str:
    return f"{address}:{port.outside}:{port.inside}/{port.protocol}"


def env_text(launch: Launch) -> str:
    """The env file of a container: a line a variable."""
    return "".join(f"{name}={value}\n" for name, value in launch.environment.items())


# What a poll asks about each container, as one line of JSON.
_LOOK = '{"id":{{json .Id}},"state":{{json .State}},"networks":{{json .NetworkSettings.Networks}}}'


def look(engine: str, ids: Iterable[str]) -> Command:
    return Command(engine, "container", "inspect", f"--format={_LOOK}", *ids)


def stop(engine: str, ids: Iterable[str], timeout: int) -> Command:
    return Command(engine, "stop", f"--time={timeout}", *ids)


def restart(engine: str, ids: Iterable[str], timeout: int) -> Command:
    return Command(engine, "restart", f"--time={timeout}", *ids)


def remove(engine: str, ids: Iterable[str]) -> Command:
    return Command(engine, "rm", "--force", "--volumes", *ids)


def make_network(engine: str, name: str, prefix: str) -> Command:
    return Command(engine, "network", "create", f"--label={OWNER_LABEL}={prefix}", name)


def make_volume(engine: str, name: str, prefix: str) -> Command:
    return Command(engine, "volume", "create", f"--label={OWNER_LABEL}={prefix}", name)


def listed(engine: str, kind: str, prefix: str) -> Command:
    """Ids (names for volumes) of everything of a kind that belongs to the rehearsal."""
    owner = f"--filter=label={OWNER_LABEL}={prefix}"
    if kind == "container":
        return Command(engine, "ps", "--all", "--quiet", "--no-trunc", owner)
    return Command(engine, kind, "ls", "--quiet", owner)


def logs(
    engine: str, container: str, tail: str, since: str, follow: bool, timestamps: bool
) -> Command:
    options = [f"--tail={tail}"]
    options += [f"--since={since}"] if since else []
    options += ["--follow"] if follow else []
    options += ["--timestamps"] if timestamps else []
    return Command(engine, "logs", *options, container)


def execute(
    engine: str,
    container: str,
    command: Sequence[str],
    *,
    tty: bool = False,
    interactive: bool = False,
    user: str = "",
) -> Command:
    options = ["--tty"] if tty else []
    options += ["--interactive"] if interactive else []
    options += [f"--user={user}"] if user else []
    return Command(engine, "exec", *options, container, *command)
