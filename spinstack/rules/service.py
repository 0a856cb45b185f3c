"""One service of a stack as typed values, whichever way it was written down."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from spinstack.rules.centre import Centre


@dataclass(frozen=True)
class ImageName:
    """`registry/path:tag@digest`, split as the Docker engine splits it."""

    registry: str
    path: str
    tag: str = ""
    digest: str = ""

    @classmethod
    def parse(cls, text: str) -> ImageName:
        """From an image reference. Raises ValueError if it is not one.

        The first part is a registry if it has a dot or a colon in it or is `localhost`;
        without one the registry is `docker.io` (Docker's own reference grammar).
        """
        rest, _, digest = text.partition("@")
        first, slash, remainder = rest.partition("/")
        if slash and ("." in first or ":" in first or first == "localhost"):
            registry, rest = first, remainder
        else:
            registry = "docker.io"
        path, _, tag = rest.partition(":")
        part = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
        if not re.fullmatch(rf"{part}(?:/{part})*", path):
            raise ValueError("not an image reference")
        if tag and not re.fullmatch(r"\w[\w.-]{0,127}", tag, re.ASCII):
            raise ValueError(f"{tag!r} can't be a tag")
        if digest and not re.fullmatch(r"sha256:[0-9a-f]{64}", digest):
            raise ValueError(f"{digest!r} is not a digest")
        return cls(registry, path, tag, digest)

    def __str__(self) -> str:
        text = f"{self.registry}/{self.path}"
        text += f":{self.tag}" if self.tag else ""
        return text + (f"@{self.digest}" if self.digest else "")


@dataclass(frozen=True)
class Mount:
    """`source:target:mode`. A source without a leading slash is a named volume."""

    source: str
    target: str
    mode: str = "rw"

    @property
    def is_volume(self) -> bool:
        """Whether it is of a named volume."""
        return bool(self.source) and self.source[0] not in "/."

    @classmethod
    def parse(cls, text: str) -> Mount:
        """From compose's short form. Raises ValueError if it is not one."""
        parts = text.split(":")
        if len(parts) == 1:
            return cls("", parts[0])
        if len(parts) > 3 or not parts[1].startswith("/"):
            raise ValueError(f"{text!r} is not SOURCE:TARGET:MODE")
        mode = parts[2] if len(parts) == 3 else "rw"
        if not set(mode.split(",")) <= {"ro", "rw", "z", "Z", "cached", "delegated", "nocopy"}:
            raise ValueError(f"{mode!r} is not a mount mode (ro or rw)")
        return cls(parts[0], parts[1], mode)

    @property
    def read_only(self) -> bool:
        return "ro" in self.mode.split(",")


@dataclass(frozen=True)
class Port:
    """A published port: `outside` on the node, `inside` in the container (as written)."""

    outside: str
    inside: str
    protocol: str = "tcp"

    @classmethod
    def parse(cls, text: str | int) -> Port:
        """From compose's short form `60037:8080`, `60037:8080/tcp`. Raises ValueError."""
        numbers, _, protocol = str(text).partition("/")
        outside, colon, inside = numbers.partition(":")
        if not colon or ":" in inside:
            raise ValueError(f"{text!r} is not OUTSIDE:INSIDE")
        return cls(outside, inside, protocol or "tcp")


@dataclass(frozen=True)
class Service:
    """What a service needs from the centre, with variables filled in.

    `lines` gives the line (in `source`) of each key that was written, for messages; the
    key "" stands for the service itself, `volumes.1` for the second of `mounts`. `variables`:
    the variable with which a mount or port begins, by such a key, and that of the group
    (`user.group`); `origins`: where it is set.
    """

    name: str
    image: str
    user: str = ""
    group_add: tuple[str, ...] = ()
    cap_add: tuple[str, ...] = ()
    cap_drop: tuple[str, ...] = ()
    mounts: tuple[Mount, ...] = ()
    ports: tuple[Port, ...] = ()
    expose: tuple[str, ...] = ()
    builds: bool = False
    environment: Mapping[str, str] = field(default_factory=dict)
    source: str = ""
    lines: Mapping[str, int] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)
    origins: Mapping[str, str] = field(default_factory=dict)

    def where(self, key: str) -> str:
        """File and line of a key, or a readable stand-in where there is no file."""
        if not self.source:
            return f"service {self.name}" + (f", {key}" if key else "")
        line = self.lines.get(key) or self.lines.get(key.partition(".")[0]) or self.lines.get("")
        return f"{self.source}:{line}" if line else self.source

    def where_set(self, key: str) -> str:
        """Where the value of a mount, port or group is set: if it is a variable, in the env file
        or the settings, else as `where`."""
        return self.origins.get(key, self.where(key))

    def mounts_global(self, centre: Centre) -> bool:
        """Whether a directory (not a named volume) of the global file system is mounted. Relative
        ones are in the release, which may be there as well."""
        directories = ("/", ".") if centre.releases_mounted else ("/",)
        return centre.global_file_system and any(
            mount.source.startswith(directories) for mount in self.mounts
        )

    def listed_ports(self) -> list[tuple[int, str]]:
        """The ports inside the container that the compose file names, with their protocols:
        published ones first, each once."""
        written = [(port.inside, port.protocol) for port in self.ports]
        for text in self.expose:
            numbers, _, protocol = text.partition("/")
            written.append((numbers, protocol or "tcp"))
        found = [(number, it.lower()) for text, it in written for number in port_numbers(text)]
        return list(dict.fromkeys(found))


# Ports of a range under `expose:`; more is no list that anybody wants to read.
_MOST_PORTS = 100


def port_numbers(written: str) -> list[int]:
    """The ports of `5000` or `5000-5002`; none for anything else."""
    match = re.fullmatch(r"([0-9]{1,5})(?:-([0-9]{1,5}))?", written)
    if not match:
        return []
    first, last = int(match[1]), int(match[2] or match[1])
    few = 0 <= last - first < _MOST_PORTS
    return list(range(first, last + 1)) if few and first and last <= 65535 else []
