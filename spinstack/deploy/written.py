"""The files of a release in a directory of this machine, for whoever deploys them without us."""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from spinstack.errors import SpinstackError, UsageError
from spinstack.remote import upload

if TYPE_CHECKING:
    from spinstack.session import Session


def write(session: Session, directory: Path) -> list[Path]:
    """Write what a release has; the paths. What is there already stays, but for files of the same
    names. Raises UsageError for a directory within the stack's, whose files are part of every
    release, SpinstackError if it can't be written."""
    if directory.resolve().is_relative_to(session.directory.resolve()):
        raise UsageError(
            "a release would have its own files in it again",
            where=str(directory),
            remedy=f"use one beside the stack's, such as ../{session.settings.stack}-release",
        )
    paths = []
    for name, mode, data in _files(session):
        path = directory / name
        paths.append(path)
        if not session.dry:
            _write(path, mode, data)
    return paths


def _files(session: Session) -> Iterator[tuple[str, int, bytes]]:
    """Name, mode and bytes. On Kubernetes the manifests are all there is to a release."""
    stack, destination = session.stack, session.destination
    made = session.platform.release_files(stack, destination)
    if destination.kubernetes:
        yield from ((name, 0o644, data) for name, data in made.items())
        return
    archive = upload.make(stack, destination, made).archive
    with tarfile.open(fileobj=io.BytesIO(archive)) as packed:
        for member in packed:
            file = packed.extractfile(member)
            assert file
            yield member.name, member.mode, file.read()


def _write(path: Path, mode: int, data: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
            file.write(data)
    except OSError as error:
        raise SpinstackError(
            f"can't write {path.name}: {error.strerror}",
            where=str(path),
            remedy="use a directory that you may write to",
        ) from None
