"""What was decided when a rehearsal was made, and stays: ports, address, engine, names."""

from __future__ import annotations

import hashlib
import json
import random
import socket
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from spin_rehearsal import paths
from spin_rehearsal.paths import Places
from spinstack.directories import Directory, read_small, write_private
from spinstack.errors import SpinstackError
from spinstack.rules import centre
from spinstack.text import read_json

HOST = "127.0.0.1"

# Below what systems give to outgoing connections (32768 and up on Linux), and outside all
# ranges that Spin lets services publish.
_PORTS = range(20000, 32000)

_NODES = tuple(f"127.0.0.{number}" for number in range(1, 255))


@dataclass(frozen=True)
class State:
    """`prefix` stands in front of the names of containers; `build_args` name the base images
    made here because the official ones can't be reached."""

    name: str
    storage: str
    engine: str
    prefix: str
    node_address: str
    ssh_port: int
    registry_port: int
    spin_port: int
    build_args: dict[str, str] = field(default_factory=dict)

    @property
    def registry(self) -> str:
        return f"{HOST}:{self.registry_port}"

    @property
    def spin_url(self) -> str:
        return f"http://{HOST}:{self.spin_port}"

    def overrides(self, where: Places) -> dict[str, Any]:
        """How this centre differs from NERSC, in the shape of `spin.yaml`."""
        return {
            "storage": {"mountable": [str(where.project_space)]},
            "registries": {"own": [self.registry]},
        }

    def centre(self, where: Places) -> centre.Centre:
        """The rules that this rehearsal's Spin applies."""
        return centre.load(self.overrides(where))

    def save(self, where: Places) -> None:
        write_private(where.state, json.dumps(asdict(self), indent=2) + "\n")


def load(file: Path) -> State | None:
    """The state of a rehearsal, None if there is none.

    Raises SpinstackError if the file holds something else.
    """
    try:
        return State(**read_json(file.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (ValueError, TypeError):
        raise SpinstackError(
            "the state of the rehearsal can't be read",
            where=str(file),
            remedy=f"delete {file.parent}, then start the rehearsal again",
        ) from None


def decide(name: str, where: Places, engine: str) -> State:
    """The state of a rehearsal that is about to start.

    It keeps what an earlier start decided, except for ports that others have taken since.
    """
    old = load(where.state)
    if old is not None:
        ssh, registry, spin = _kept_or_new((old.ssh_port, old.registry_port, old.spin_port))
        return replace(old, engine=engine, ssh_port=ssh, registry_port=registry, spin_port=spin)
    ssh, registry, spin = _free_ports(3)
    return State(
        name=name,
        storage=str(where.storage),
        engine=engine,
        prefix=_prefix(name, where),
        node_address=_node_address(where),
        ssh_port=ssh,
        registry_port=registry,
        spin_port=spin,
    )


def _kept_or_new(ports: Iterable[int]) -> list[int]:
    return [port if _is_free(port) else _free_ports(1)[0] for port in ports]


def _prefix(name: str, where: Places) -> str:
    """Unique on this machine: two people may both have a rehearsal called `default`."""
    digest = hashlib.sha256(str(where.private).encode()).hexdigest()
    return f"rehearsal-{name}-{digest[:6]}"


def _free_ports(count: int) -> list[int]:
    """Different ports that nobody listens on."""
    found: list[int] = []
    for port in random.sample(_PORTS, len(_PORTS)):
        if len(found) == count:
            break
        if _is_free(port):
            found.append(port)
    return found


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def _node_address(where: Places) -> str:
    """An address of this machine's loopback that no other rehearsal publishes on."""
    taken = {mark["node_address"] for mark in others(where)}
    return next((address for address in _NODES if address not in taken), _NODES[0])


def others(where: Places) -> list[dict[str, str]]:
    """The marks of all other rehearsals on this machine: `private`, `node_address`.

    Anybody may have put one there, so it is looked at before it is believed.
    """
    markers = {
        marker
        for root in {where.storage.parent, paths.STORAGE_ROOT}
        for marker in root.glob("spinstack-*/.rehearsal.json")
    }
    marks = [_mark(read_small(marker)) for marker in sorted(markers - {where.marker})]
    return [mark for mark in marks if mark]


def check_mark(where: Places, storage: Directory) -> None:
    """Raises SpinstackError if the storage is another rehearsal's."""
    mark = _mark(storage.read(where.marker.name))
    if mark and Path(mark["private"]) != where.private and Path(mark["private"]).exists():
        raise SpinstackError(
            "another rehearsal uses this directory for its storage",
            where=f"{where.storage}, of {mark['private']}",
            remedy="choose another name (--name), or stop the other rehearsal",
        )


def mark_storage(state: State, where: Places, storage: Directory) -> None:
    """Write down whose storage it is. Raises SpinstackError if it is another rehearsal's."""
    check_mark(where, storage)
    content = {"private": str(where.private), "node_address": state.node_address}
    storage.write(where.marker.name, json.dumps(content).encode() + b"\n")


def _mark(content: bytes | None) -> dict[str, str]:
    """A marker's content, empty if it is none."""
    try:
        found = read_json(content or b"{}")
    except ValueError:
        return {}
    keys = ("private", "node_address")
    whole = isinstance(found, dict) and all(isinstance(found.get(key), str) for key in keys)
    return found if whole else {}
