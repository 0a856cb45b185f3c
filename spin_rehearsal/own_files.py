"""The directories that a stack mounts, made on the rehearsal's file system, and what is in them."""

from __future__ import annotations

import errno
import os
import re
import stat
from dataclasses import replace
from pathlib import Path, PurePosixPath

from spin_rehearsal import account
from spin_rehearsal.paths import Places
from spinstack.config import stack
from spinstack.config.settings import Destination, Settings
from spinstack.directories import Directory
from spinstack.errors import SpinstackError, UsageError
from spinstack.rules.service import Mount

_Inode = tuple[int, int]
_NOWHERE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)


def mounted(settings: Settings, where: Places) -> list[PurePosixPath] | None:
    """The directories below the rehearsal's project directory that the services of a stack mount,
    relative to it; None if no destination of the stack is this rehearsal. Known before the first
    start. Raises SpinstackError for files that can't be read."""
    to = _destination(settings, where)
    if to is None:
        return None
    found = stack.read(settings, {}, ())
    found.require_readable()
    services, _ = found.services(to)
    project = PurePosixPath(where.project)
    mounts = [it for service in services for it in service.mounts if not _is_file(it)]
    paths = [PurePosixPath(it.source) for it in mounts]
    inside = [path for path in paths if project in path.parents and ".." not in path.parts]
    return [path.relative_to(project) for path in dict.fromkeys(inside)]


def _destination(settings: Settings, where: Places) -> Destination | None:
    """That of the rehearsal, with what mounts need: the file that it includes is not there before
    the first start."""
    for name in settings.destination_names:
        if not _includes(settings, name, where.destination):
            continue
        own = settings.raw["destinations"][name] or {}
        known = {
            "environment": name,
            "project_dir": own.get("project_dir") or str(where.project),
            "env": own.get("env"),
        }
        raw = {"env": settings.raw.get("env"), "destinations": {name: known}}
        return replace(settings, raw=raw).destination(name)
    return None


def _includes(settings: Settings, name: str, file: Path) -> bool:
    try:
        return settings.included_by(name) == file
    except UsageError:
        return False


def _is_file(mount: Mount) -> bool:
    """Whether it looks like one of a single file, such as site.conf; conf.d and v1.2 do not."""
    ending = PurePosixPath(mount.source).suffix
    is_same = ending == PurePosixPath(mount.target).suffix
    return is_same and re.fullmatch(r"\.[A-Za-z]\w+", ending) is not None


def must_fit(files: Path, directories: list[PurePosixPath] | None) -> None:
    """Raises UsageError if it is not clear to which directory these files are to be copied, or if
    they are not in one. `directories`: as `mounted` says."""
    if directories is None:
        raise UsageError(
            "--files needs a stack that is deployed there",
            remedy="change to its directory (a rehearsal with a name: add it to invoke.yaml)",
        )
    if len(directories) != 1:
        raise UsageError(
            f"--files is for a stack that mounts one directory; this one mounts {len(directories)}",
            remedy="leave it out, then copy them by hand to where `invoke rehearsal.status` says "
            "(storage)",
        )
    if not os.access(files, os.R_OK | os.X_OK) or not files.is_dir():
        what = f"{files} is not a directory that you can read"
        raise UsageError(what, remedy="give --files a directory")


def prepare(where: Places, directories: list[PurePosixPath], files: Path | None) -> list[Path]:
    """Make the directories that are missing, and copy what is in `files` to the only one. Returns
    those that were made or filled. Raises SpinstackError if something can't be read or written."""
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
