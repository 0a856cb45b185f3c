"""The compose file of a local run, derived from the stack's own: what docker compose and the
platform have in common, with every variable filled in.

Pure: values in, values out; reads only those of the stack's files that are mounted.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from spinstack.config import goyaml, interpolation, services
from spinstack.config.stack import Stack
from spinstack.rules.service import Mount, Port

# A local run can be reached from this machine only.
HERE = "127.0.0.1"

# Changes when a mounted file of the stack does, so that compose recreates the container.
FILES_LABEL = "spinstack.files"


@dataclass(frozen=True)
class Derived:
    """The derived file: `data` with plain values; `left_out`: `service: key` of keys
    that only the platform knows; `outside`: the address of the port that visitors use, or ""."""

    data: dict[str, Any]
    left_out: list[str] = field(default_factory=list)
    outside: str = ""

    def text(self) -> str:
        """As a file: dollar signs doubled, since compose fills in variables itself."""
        return goyaml.dump(_escaped(self.data), width=1000)


def derive(
    stack: Stack,
    values: Mapping[str, str],
    *,
    uid: int,
    port: int | None = None,
    moved: Mapping[str, str] | None = None,
    own: tuple[frozenset[str], str] = (frozenset(), ""),
    more: Mapping[str, str] | None = None,
) -> Derived:
    """The compose file for this machine.

    `values`: the stack's variables with the directories of this machine. `uid`: the user
    that containers run as where the stack says UID. `port`: instead of the stack's own, for the
    service that visitors talk to. `moved`: where directories are that the compose file names
    without a variable. `own`: the platform's own keys and labels, which no other program knows.
    `more`: keys for every service. The stack's files must have been checked before.
    """
    filled = interpolation.filled(stack.compose, {**values, "UID": str(uid)})
    maker = _Maker(stack, values, port, moved or {}, own)
    services = {
        name: {**maker.service(name, told), **(more or {})}
        for name, told in filled["services"].items()
    }
    data: dict[str, Any] = {"version": str(filled.get("version", "2")), "services": services}
    if filled.get("volumes"):
        # The platform's own drivers and external volumes exist only there.
        data["volumes"] = {str(name): {} for name in filled["volumes"]}
    if filled.get("networks"):
        data["networks"] = filled["networks"]
    return Derived(data, maker.left_out, maker.outside)


class _Maker:
    """Makes the services of one derived file."""

    def __init__(
        self,
        stack: Stack,
        values: Mapping[str, str],
        port: int | None,
        moved: Mapping[str, str],
        own: tuple[frozenset[str], str],
    ) -> None:
        self._stack = stack
        self._values = values
        self._port = port
        self._moved = moved
        self._own_keys, self._own_labels = own
        self.left_out: list[str] = []
        self.outside = ""

    def service(self, name: str, written: Mapping[str, Any]) -> dict[str, Any]:
        made = {}
        for key, value in written.items():
            if key in self._own_keys:
                self.left_out.append(f"{name}: {key}")
            elif key not in ("env_file", "environment", "volumes", "ports", "labels"):
                made[key] = value
        mounts = [Mount.parse(str(text)) for text in written.get("volumes") or ()]
        own = {
            "environment": self._stack.environment(written, self._values),
            "volumes": [self._volume(mount) for mount in mounts],
            "ports": self._ports(name, written.get("ports") or ()),
            "labels": self._labels(written.get("labels"), mounts),
        }
        return {**made, **{key: value for key, value in own.items() if value}}

    def _volume(self, mount: Mount) -> str:
        if not mount.source:
            return mount.target
        source = self._moved.get(mount.source, mount.source)
        if source.startswith("."):
            source = str((self._stack.directory / source).resolve())
        return f"{source}:{mount.target}:{mount.mode}"

    def _ports(self, name: str, written: Any) -> list[str]:
        made = []
        for text in written:
            port = Port.parse(text)
            outside = port.outside
            if name == self._stack.public_service and not self.outside:
                outside = str(self._port or port.outside)
                self.outside = f"{HERE}:{outside}"
            made.append(f"{HERE}:{outside}:{port.inside}/{port.protocol}")
        return made

    def _labels(self, written: Any, mounts: list[Mount]) -> dict[str, str]:
        labels = {name: value or "" for name, value in services.pairs(written).items()}
        if self._own_labels:
            labels = {k: v for k, v in labels.items() if not k.startswith(self._own_labels)}
        files = own_files(self._stack, mounts)
        if files:
            labels[FILES_LABEL] = _digest(files)
        return labels


def own_files(stack: Stack, mounts: list[Mount]) -> list[Path]:
    """The files of the stack's directory that are mounted."""
    paths = [stack.directory / m.source for m in mounts if m.source.startswith(".")]
    return [path for path in paths if path.is_file()]


def _digest(files: list[Path]) -> str:
    digest = hashlib.sha256()
    for path in files:
        content = path.read_bytes()
        digest.update(b"%d:" % len(content) + content)
    return digest.hexdigest()[:12]


def _escaped(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _escaped(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_escaped(item) for item in value]
    return value.replace("$", "$$") if isinstance(value, str) else value
