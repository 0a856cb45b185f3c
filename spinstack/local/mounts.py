"""Where the directories of a stack are on this machine: its own if they exist, otherwise the
sample data, or an empty directory if the sample has nothing for it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

from spinstack.config.settings import Destination
from spinstack.config.stack import Stack
from spinstack.directories import Directory
from spinstack.sample.layout import DATA, STATIC, lay_out

# What the sample has for the variables of the template's compose file.
SAMPLE: Mapping[str, PurePosixPath] = {
    "STATIC_DIR": STATIC,
    "DATA_DIR": DATA,
    "NIGHTWATCH_DIR": PurePosixPath("nightwatch"),
    "DESIMODEL_DIR": PurePosixPath("desimodel"),
    "DESIUTIL_DIR": PurePosixPath("desiutil"),
}
# Below the cache, for mounts that the sample has nothing for.
EMPTY = "empty"

Kind = Literal["own", "sample", "empty"]


@dataclass(frozen=True)
class Source:
    """A mounted directory: `name` is its variable, or the path as the compose file has it."""

    name: str
    path: Path
    kind: Kind


def cache_of(stack: str) -> Path:
    """Where the sample data of a stack's local runs is kept."""
    return Path.home() / ".cache" / "spinstack" / "local" / stack


def sources(stack: Stack, destination: Destination, cache: Path) -> list[Source]:
    """Every directory that the stack mounts, as found on this machine."""
    values = stack.variables(destination)
    named = {name: values[name] for name in sorted(stack.mount_variables()) if values.get(name)}
    found = [_source(name, path, cache) for name, path in named.items()]
    known = set(named.values())
    for service in stack.services(destination)[0]:
        for mount in service.mounts:
            whole = mount.source.startswith("/")
            if whole and not any(_is_at_or_below(mount.source, path) for path in known):
                known.add(mount.source)
                found.append(_source(mount.source, mount.source, cache))
    return found


def _is_at_or_below(path: str, directory: str) -> bool:
    return PurePosixPath(path).is_relative_to(directory)


def _source(name: str, path: str, cache: Path) -> Source:
    if _usable(Path(path)):
        return Source(name, Path(path), "own")
    if name in SAMPLE:
        return Source(name, cache / SAMPLE[name], "sample")
    return Source(name, cache / EMPTY / name.strip("/").replace("/", "_"), "empty")


def _usable(path: Path) -> bool:
    """Whether it is on this machine and we may read it."""
    return os.access(path, os.R_OK | (os.X_OK if path.is_dir() else 0))


def prepare(found: list[Source], cache: Path, owner: tuple[int, int]) -> None:
    """Create what is missing: sample data and empty directories, owned by `owner` (uid, gid) if
    we are root. Running it again changes nothing. Raises SpinstackError if the cache
    can't be written."""
    if any(source.kind == "sample" for source in found):
        lay_out(cache, owner=owner)
    if missing := [source.path for source in found if source.kind == "empty"]:
        giver = owner if os.geteuid() == 0 else None
        what, remedy = "the directory for local files", f"remove {cache}"
        with Directory(cache, None, what=what, remedy=remedy, owner=giver) as own:
            for path in missing:
                own.directory(path.relative_to(cache).as_posix(), 0o755, giver)


def told(found: list[Source]) -> list[str]:
    """What people should know about the mounts, in lines."""
    lines = []
    sampled = [source.name for source in found if source.kind == "sample"]
    if sampled:
        lines.append(f"not on this machine, replaced by sample data: {', '.join(sampled)}")
    lines += [f"{s.name}: {s.path}" for s in found if s.kind == "own"]
    lines += [f"not on this machine, left empty: {s.name}" for s in found if s.kind == "empty"]
    return lines
