"""Which image a build context makes: a tag from the content, and the full reference.

The same files give the same tag on every machine and at any time, so an image that exists is
neither built nor pushed again, and a tag never comes to mean another image.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from spinstack.errors import SpinstackError, UsageError
from spinstack.images.dockerignore import Ignore
from spinstack.rules.service import ImageName
from spinstack.text import split_lines

# Changes when the computation changes, so that old and new tags can't be mixed up.
_SCHEME = b"spinstack image content 1"

# Build arguments that Docker knows without an ARG line and keeps out of the image.
# Source: docs.docker.com, Dockerfile reference, "Predefined ARGs".
_PROXIES = frozenset(
    name
    for upper in ("HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY")
    for name in (upper, upper.lower())
)

# Other engines and builders read these instead of .dockerignore, each its own way.
_RIVALS = (".containerignore", "{dockerfile}.dockerignore")


@dataclass(frozen=True)
class ImageSpec:
    """What an image is built from.

    `key`: its name in the stack (`app`). `context`: directory. `name`: image name without
    registry, namespace and tag. `build_args` may hold more than this Dockerfile declares;
    `used_args` are those that count. `dockerfile`: path relative to the context.
    """

    key: str
    context: Path
    name: str
    build_args: Mapping[str, str] = field(default_factory=dict)
    dockerfile: str = "Dockerfile"
    platform: str = "linux/amd64"

    @property
    def dockerfile_path(self) -> Path:
        return self.context / self.dockerfile

    def used_args(self) -> dict[str, str]:
        """The build arguments that the Dockerfile declares, and proxies, sorted by name.

        Raises SpinstackError if there is no Dockerfile to read.
        """
        known = declared_args(_dockerfile(self).decode("utf-8", "replace")) | _PROXIES
        return {name: self.build_args[name] for name in sorted(self.build_args) if name in known}


def reference(spec: ImageSpec, registry: str, namespace: str) -> str:
    """`REGISTRY/NAMESPACE/NAME:TAG` with the content's tag.

    Raises UsageError if the three do not make a reference, SpinstackError for a context
    that can't be read.
    """
    for what, value in (("registry", registry), ("namespace", namespace)):
        if not value:
            raise UsageError(
                f"the destination has no {what} for the image {spec.name}",
                remedy=f"set {what}: in invoke.yaml, for example to {_EXAMPLES[what]}",
            )
    text = f"{registry}/{namespace.strip('/')}/{spec.name}:{content_tag(spec)}"
    try:
        image = ImageName.parse(text)
    except ValueError:
        image = None
    if image is None or image.registry != registry:
        raise UsageError(
            f"{text} is not an image reference",
            where=f"image {spec.key}",
            remedy="registry: a host name, with a port if needed, without https://; namespace and "
            "name: lower-case letters and digits, joined by single . _ or -",
        )
    return text


_EXAMPLES = {"registry": "registry.spin.nersc.gov", "namespace": "your user name"}


def content_tag(spec: ImageSpec) -> str:
    """`c-` and 12 hexadecimal digits that stand for everything a build of `spec` sees.

    What counts: paths, bytes and the owner's execute bit of the files that `.dockerignore`
    leaves in, where symbolic links point, the Dockerfile, the build arguments that it
    declares, the platform. What does not: times, owners, other mode bits, the order of
    directory entries. Raises SpinstackError for a context that can't be read.
    """
    digest = hashlib.sha256()

    def count(*parts: bytes) -> None:
        # With lengths, so that no two contents give the same bytes.
        for part in parts:
            digest.update(b"%d:" % len(part))
            digest.update(part)

    count(_SCHEME, b"platform", spec.platform.encode(), b"dockerfile", _dockerfile(spec))
    for name, value in spec.used_args().items():
        if name not in _PROXIES:
            count(b"argument", name.encode(), value.encode())
    for entry in _entries(spec):
        count(*entry)
    return f"c-{digest.hexdigest()[:12]}"


def declared_args(dockerfile: str) -> frozenset[str]:
    """The names that the ARG lines of a Dockerfile declare."""
    lines = (line for line in split_lines(dockerfile) if not line.lstrip().startswith("#"))
    whole = re.sub(r"[\\`][ \t]*\n", " ", "\n".join(lines))
    names: set[str] = set()
    for line in split_lines(whole):
        words = line.split()
        if words and words[0].upper() == "ARG":
            names.update(word.partition("=")[0] for word in words[1:])
    return frozenset(names)


def _dockerfile(spec: ImageSpec) -> bytes:
    if not spec.context.is_dir():
        raise SpinstackError(
            f"the directory of the image {spec.key} is missing",
            where=str(spec.context),
            remedy="run this in the stack's directory, or fix `context` of the image",
        )
    if not spec.dockerfile_path.is_file():
        raise SpinstackError(
            f"the {spec.dockerfile} of the image {spec.key} is missing",
            where=str(spec.dockerfile_path),
            remedy="add it, or fix `context` of the image",
        )
    return _read(spec.dockerfile_path)


def _ignore(spec: ImageSpec) -> Ignore:
    for rival in _RIVALS:
        path = spec.context / rival.format(dockerfile=spec.dockerfile)
        if path.exists():
            raise SpinstackError(
                f"not every engine reads {path.name}, so the image would depend on the engine",
                where=str(path),
                remedy="move its lines to .dockerignore",
            )
    path = spec.context / ".dockerignore"
    if not path.is_file():
        return Ignore()
    try:
        return Ignore.parse(os.fsdecode(_read(path)))
    except ValueError as error:
        raise SpinstackError(
            f"{path.name} is not valid: {error}",
            where=str(path),
            remedy="fix that line; the rules are Docker's",
        ) from None


def _entries(spec: ImageSpec) -> Iterator[tuple[bytes, ...]]:
    """Everything in the context that the build can see, in a fixed order."""
    ignore = _ignore(spec)
    found: list[tuple[bytes, tuple[bytes, ...]]] = []
    waiting = [""]
    while waiting:
        directory = waiting.pop()
        for name, mode in _listing(spec.context / directory):
            path = f"{directory}/{name}" if directory else name
            ignored = ignore.ignores(path)
            if stat.S_ISDIR(mode) and not (ignored and ignore.can_skip(path)):
                waiting.append(path)
            # Docker sends no sockets.
            if not ignored and not stat.S_ISSOCK(mode):
                found.append((os.fsencode(path), _content(spec.context / path, mode)))
    for encoded, content in sorted(found):
        yield (encoded, *content)


def _listing(directory: Path) -> list[tuple[str, int]]:
    """Name and mode of each entry, links not followed."""
    try:
        with os.scandir(directory) as entries:
            return [(entry.name, entry.stat(follow_symlinks=False).st_mode) for entry in entries]
    except OSError as error:
        raise _unreadable(directory, error) from None


def _content(path: Path, mode: int) -> tuple[bytes, ...]:
    """The kind of an entry, and its content."""
    if stat.S_ISLNK(mode):
        return b"link", os.fsencode(path.readlink())
    if stat.S_ISREG(mode):
        kind = b"program" if mode & stat.S_IXUSR else b"file"
        return kind, _digest(path)
    return (b"directory",) if stat.S_ISDIR(mode) else (b"special",)


def _digest(path: Path) -> bytes:
    """Of a file that may be larger than memory."""
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    except OSError as error:
        raise _unreadable(path, error) from None
    return digest.digest()


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise _unreadable(path, error) from None


def _unreadable(path: Path, error: OSError) -> SpinstackError:
    reason = (error.strerror or str(error)).lower()
    return SpinstackError(
        f"part of the build context can't be read: {reason}",
        where=str(path),
        remedy="make it readable for yourself, or list it in .dockerignore",
    )


# Written into every image: the content that it was built from.
CONTENT_LABEL = "spinstack.content"
