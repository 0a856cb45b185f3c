"""A release: one complete upload of a stack, under an id of its own.

`<project dir>/<stack>/releases/<id>/` on the global file system. Nothing in it is changed
afterwards: containers keep exactly the files that they were started with.
"""

from __future__ import annotations

import base64
import codecs
import hashlib
import io
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from spinstack.config import env_file, release_files
from spinstack.config.settings import Destination
from spinstack.config.stack import Stack
from spinstack.errors import SpinstackError
from spinstack.transport.command import Command, Raw, Secret
from spinstack.transport.script import UMASK, Step

if TYPE_CHECKING:
    import tarfile

# Uploaded for people, and read by nothing that runs: a change in these files alone is no reason
# to replace containers.
NOT_RUN = {"README.md", "invoke.yaml", "tasks.py"}
# What an id looks like: time of the upload (UTC), first digits of the content's hash.
ID = re.compile(r"\d{8}-\d{6}-[0-9a-f]{8}")


@dataclass(frozen=True)
class Release:
    """An upload: its id, the directory it will have, and the files as a tar.gz."""

    id: str
    directory: PurePosixPath
    archive: bytes = field(repr=False)

    @property
    def content(self) -> str:
        """The part of the id that depends on the files alone."""
        return self.id.rsplit("-", 1)[-1]

    def called(self, other_id: str) -> Release:
        """The same files under the id with which they were uploaded before."""
        return Release(other_id, self.directory.with_name(other_id), self.archive)


def make(
    stack: Stack,
    destination: Destination,
    more: Mapping[str, bytes] | None = None,
    *,
    now: datetime | None = None,
) -> Release:
    """Pack the stack for a destination, with `more` files by name, which replace its own.

    The id is the time (UTC) and the first digits of the hash of what runs, so that ids sort by
    age and unchanged files are recognised. Raises SpinstackError if the directory is too large,
    has links that lead out of it, or a file can't be read.
    """
    release_files.check(stack.directory)
    more = more or {}
    own = (p for p in release_files.files(stack.directory) if _name(stack, p) not in more)
    packed = [_packed(stack, destination, path) for path in own]
    if not any(map(stack.is_own_env, [*(info.name for info, _ in packed), *more])):
        # Hidden, or missing: what is added to it is needed all the same.
        packed.append(_entry(_own_env_name(stack), _env(stack, destination), 0o640))
    packed += [_entry(name, data, 0o640) for name, data in sorted(more.items())]
    archive = _archive(packed)
    digest = hashlib.sha256(_archive([p for p in packed if p[0].name not in NOT_RUN])).hexdigest()
    moment = (now or datetime.now(timezone.utc)).strftime("%Y%m%d-%H%M%S")
    release_id = f"{moment}-{digest[:8]}"
    directory = PurePosixPath(destination.project_dir, stack.name, "releases", release_id)
    return Release(release_id, directory, archive)


def _packed(stack: Stack, destination: Destination, path: Path) -> tuple[tarfile.TarInfo, bytes]:
    """A file as packed: no times, no owners, so that the same files give the same bytes."""
    name = _name(stack, path)
    # Containers run as the uid that owns the release; the group may read.
    mode = 0o750 if path.stat().st_mode & 0o100 else 0o640
    return _entry(name, _content(stack, destination, path, name), mode)


def _name(stack: Stack, path: Path) -> str:
    return path.relative_to(stack.directory).as_posix()


def _entry(name: str, data: bytes, mode: int) -> tuple[tarfile.TarInfo, bytes]:
    import tarfile

    info = tarfile.TarInfo(name)
    info.size, info.mode = len(data), mode
    return info, data


def _archive(packed: list[tuple[tarfile.TarInfo, bytes]]) -> bytes:
    import gzip
    import tarfile

    tar_bytes = io.BytesIO()
    with tarfile.open(fileobj=tar_bytes, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for info, data in packed:
            tar.addfile(info, io.BytesIO(data))
    return gzip.compress(tar_bytes.getvalue(), mtime=0)


def _own_env_name(stack: Stack) -> str:
    """Raises SpinstackError if it would be unpacked outside of the release."""
    name = PurePosixPath(stack.env_name)
    if name.is_absolute() or ".." in name.parts:
        raise SpinstackError(
            "the env file is outside of the stack's directory, which is all that a release has",
            where=stack.env_name,
            remedy="move it there, and set env_file in invoke.yaml to its name",
        )
    return name.as_posix()


def _env(stack: Stack, destination: Destination) -> bytes:
    try:
        return env_file.text(stack.variables(destination)).encode()
    except ValueError as error:
        remedy = "write each variable on one line"
        raise SpinstackError(str(error), where=stack.env_name, remedy=remedy) from None


def _content(stack: Stack, destination: Destination, path: Path, name: str) -> bytes:
    if stack.is_own_env(name):
        return _env(stack, destination)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise SpinstackError(
            f"can't read {name}: {error.strerror}",
            where=str(path),
            remedy=f"chmod u+r {shlex.quote(str(path))}",
        ) from None
    return content.removeprefix(codecs.BOM_UTF8) if name in stack.read_as_text else content


def upload_step(release: Release) -> Step:
    """Unpack the release beside the others; it appears complete or not at all.

    Leftovers of interrupted uploads are removed: under the lock there is only this one.
    """
    final = str(release.directory)
    partial = f"{final}.partial"
    broken_off = Raw(f"{shlex.quote(str(release.directory.parent))}/*.partial")
    packed = base64.b64encode(release.archive).decode()
    bulk = Secret(packed, label=f"<{len(release.archive)} bytes of tar.gz in base64>")
    commands = (
        UMASK,
        Command("set", "-o", "pipefail"),
        Command("mkdir", "-p", str(release.directory.parent)),
        Command("rm", "-rf", broken_off),
        Command("mkdir", partial),
        Command(
            *("printf", "%s", bulk, Raw("|"), "base64", "-d"),
            *(Raw("|"), "tar", "-xzpf", "-", "-C", partial),
            # On a full disk, half a release would only be in the way.
            *(Raw("|| {"), "rm", "-rf", partial, Raw("; false; }")),
        ),
        # A release with this id holds the same files: it was uploaded twice within a second.
        Command(
            *("test", "-d", final, Raw("&&"), "rm", "-rf", partial),
            *(Raw("||"), "mv", "-T", partial, final),
        ),
        Command("cd", final),
    )
    return Step("upload", commands)
