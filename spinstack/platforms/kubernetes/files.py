"""Files of the stack that a service mounts: a ConfigMap, named by what is in it."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from spinstack.config import release_files
from spinstack.config.stack import Stack
from spinstack.errors import SpinstackError
from spinstack.platforms.kubernetes.source import Source
from spinstack.rules.service import Mount

# Bytes that a ConfigMap may hold. Source: kubernetes.io, "ConfigMaps".
LARGEST = 1_048_576
_PLAIN, _EXECUTABLE = 0o444, 0o555


@dataclass(frozen=True)
class StackFile:
    """A file in a ConfigMap: its key there, its path below what is mounted (empty: it is what is
    mounted), its mode and bytes."""

    key: str
    path: str
    mode: int
    data: bytes


def is_own(mount: Mount) -> bool:
    """Whether it is a file or directory of the stack that is mounted."""
    return mount.source.startswith(".")


def of_mount(stack: Stack, mount: Mount) -> list[StackFile]:
    """The files of one mount, by name; none for what is not part of a release. Raises
    SpinstackError for a file that can't be read."""
    root = stack.directory.resolve()
    place = (root / mount.source).resolve()
    found = []
    for path in release_files.files(root):
        if path == place:
            inside = ""
        elif place in path.parents:
            inside = path.relative_to(place).as_posix()
        else:
            continue
        mode = _EXECUTABLE if path.stat().st_mode & 0o100 else _PLAIN
        key = _key(path.relative_to(root).as_posix())
        found.append(StackFile(key, inside, mode, _read(path)))
    return found


def _key(path: str) -> str:
    """A path as the key of a ConfigMap, which has no slashes; two paths never have the same."""
    key = re.sub(r"[^-.A-Za-z0-9]", "_", path)
    exact = key == path.replace("/", "_") and "_" not in path and not key.startswith("..")
    if exact and len(key) <= 200:
        return key
    return f"{key.lstrip('.')[:200]}_{hashlib.sha256(path.encode()).hexdigest()[:8]}"


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise SpinstackError(
            f"can't read {path.name}: {error.strerror}",
            where=str(path),
            remedy="make it readable",
        ) from None


def of_service(source: Source) -> list[StackFile]:
    """All files of the stack that a service mounts, each once."""
    found = {
        file.key: file
        for mount in source.service.mounts
        if is_own(mount)
        for file in of_mount(source.stack, mount)
    }
    return [found[key] for key in sorted(found)]


def name(source: Source, files: list[StackFile]) -> str:
    """Another content is another name, so that a change replaces the containers, and what ran
    before finds its own files again."""
    digest = hashlib.sha256()
    for file in files:
        digest.update(f"{file.key}:{len(file.data)}:".encode() + file.data)
    return f"{source.stack.name}-{source.name}-{digest.hexdigest()[:8]}"


def content(files: list[StackFile]) -> dict[str, dict[str, str]]:
    """`data` and `binaryData` of a ConfigMap."""
    texts, others = {}, {}
    for file in files:
        text = _text(file.data)
        if text is None:
            others[file.key] = base64.b64encode(file.data).decode()
        else:
            texts[file.key] = text
    found = {"data": texts, "binaryData": others}
    return {key: value for key, value in found.items() if value}


def _text(data: bytes) -> str | None:
    """None for bytes that are no text."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return None
    return None if "\0" in text else text
