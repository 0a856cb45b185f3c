"""The directories that a stack mounts, made on the rehearsal's file system, and what is in them."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path, PurePosixPath

from spin_rehearsal import account
from spin_rehearsal.paths import Places
from spinstack.config.settings import Destination
from spinstack.config.stack import Stack
from spinstack.directories import Directory
from spinstack.errors import SpinstackError, UsageError

_Inode = tuple[int, int]
_NOWHERE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)


def mounted(stack: Stack, to: Destination) -> list[PurePosixPath]:
    """The directories below the project directory that the services mount, relative to it."""
    project = PurePosixPath(to.project_dir)
    services, _ = stack.services(to)
    paths = [PurePosixPath(it.source) for service in services for it in service.mounts]
    inside = [path for path in paths if project in path.parents and ".." not in path.parts]
    return [path.relative_to(project) for path in dict.fromkeys(inside)]


def prepare(where: Places, directories: list[PurePosixPath], files: Path | None) -> list[Path]:
    """Make the directories that are missing, and copy what is in `files` to the only one. Returns
    those that were made or filled. Raises UsageError if it is not clear which one that is,
    SpinstackError if something can't be read or written."""
    if files is not None and len(directories) != 1:
        raise UsageError(
            f"--files is for a stack that mounts one directory; this one mounts {len(directories)}",
            remedy="copy them by hand to where `invoke rehearsal.status` says (storage)",
        )
    if files is not None and not files.is_dir():
        raise UsageError(f"{files} is not a directory", remedy="give --files a directory")
    missing = [it for it in directories if not (where.project / it).exists()]
    if not missing and files is None:
        return []
    owner = account.of(where).owner
    try:
        with account.open_storage(where) as storage:
            above = storage.directory(where.project.parent.relative_to(where.storage).as_posix())
            project = above.directory(where.project.name, 0o755, owner)
            for path in missing:
                project.directory(path, 0o755, owner)
            if files is not None:
                _copy(files, project.directory(directories[0], 0o755, owner), owner)
    except OSError as error:
        raise SpinstackError(
            f"the stack's directory can't be filled: {error.strerror}",
            where=str(error.filename or where.project),
            remedy="make it readable, then start the rehearsal again",
        ) from error
    return [where.project / it for it in (directories if files else missing)]


def _copy(
    files: Path,
    to: Directory,
    owner: tuple[int, int] | None,
    above: frozenset[_Inode] = frozenset(),
) -> None:
    """All files, links as what they lead to; hidden ones stay, and links that lead nowhere or back
    to a directory that they are in. `above`: those that this one is in. Raises OSError for what
    can't be read."""
    above |= {_inode(files.stat())}
    for path in sorted(files.iterdir()):
        status = None if path.name.startswith(".") else _status(path)
        if status is None:
            continue
        if stat.S_ISREG(status.st_mode):
            mode = 0o755 if status.st_mode & stat.S_IXUSR else 0o644
            to.write(path.name, path.read_bytes(), mode, owner)
        elif stat.S_ISDIR(status.st_mode) and _inode(status) not in above:
            with to.child(path.name, 0o755, owner) as below:
                _copy(path, below, owner, above)


def _inode(status: os.stat_result) -> _Inode:
    """Which directory it is, whatever links lead to it."""
    return status.st_dev, status.st_ino


def _status(path: Path) -> os.stat_result | None:
    """Of what it leads to, None for a link that leads nowhere. Raises OSError if that can't be
    known."""
    try:
        return path.stat()
    except OSError as error:
        if error.errno in _NOWHERE:
            return None
        raise
