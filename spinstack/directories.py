"""Directories of our own, in places where others may have been first.

A name that can be foreseen, in a directory that everybody may write to, can be somebody else's
directory, or a link to anywhere. A `Directory` follows no link, uses nothing that belongs to
somebody else, and makes everything relative to an open directory, so that nothing can be
exchanged in between.
"""

from __future__ import annotations

import os
import stat
from contextlib import ExitStack, suppress
from pathlib import Path, PurePosixPath
from typing import Any

from spinstack.errors import SpinstackError, UsageError

PRIVATE = 0o700
OTHERS_WRITE = 0o022
# Of a small file that somebody else may have put there; bytes.
_SMALL = 65536

Owner = tuple[int, int]


def expanded(path: str) -> Path:
    """A path with `~` filled in. Raises UsageError where nobody knows whose home that is."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        what = f"{path!r} is in the home directory of somebody whom this machine does not know"
        raise UsageError(what, remedy="write the whole path") from None


class Directory:
    """An open directory that belongs to us. Used with `with`, which closes it."""

    def __init__(
        self,
        path: Path,
        mode: int | None = PRIVATE,
        *,
        what: str,
        remedy: str,
        owner: Owner | None = None,
        above: Directory | None = None,
    ) -> None:
        """Open the directory, made first if it is missing, with all that is missing above it.

        It then has exactly this mode, and `owner` (uid, gid), for which we must be root; with
        mode None one that exists keeps both, and a new one gets 0755. `above`: the open
        directory that it is in. Raises SpinstackError, worded with `what` and `remedy`, for a
        link and for somebody else's directory, OSError if it can't be made.
        """
        self.path = path
        self._what, self._remedy = what, remedy
        self._below: dict[str, Directory] = {}
        self._descriptor: int
        self._close = ExitStack()
        at: int | None = above._descriptor if above else None
        if above is None:
            make_parents(path, mode or 0o755)
        owners = {os.geteuid(), *(owner or ())[:1]}
        # Whoever could write to the topmost one may have prepared what is below.
        forbidden = OTHERS_WRITE if above is None and mode else 0
        name = path if above is None else path.name
        try:
            os.mkdir(name, mode or 0o755, dir_fd=at)
        except FileExistsError:
            keep = mode is None
        else:
            keep = False
        self._check(os.stat(name, dir_fd=at, follow_symlinks=False), owners, forbidden)
        self._descriptor = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=at)
        self._close.callback(os.close, self._descriptor)
        status = os.fstat(self._descriptor)
        self._check(status, owners, forbidden)
        if keep:
            return
        if stat.S_IMODE(status.st_mode) != (mode or 0o755):
            os.fchmod(self._descriptor, mode or 0o755)
        if owner and owner != (status.st_uid, status.st_gid):
            os.fchown(self._descriptor, *owner)

    def _check(self, status: os.stat_result, owners: set[int], forbidden: int) -> None:
        # A topmost one is checked for what others could do to it; those below stand in it.
        problem = problem_of(status, owners, forbidden)
        if forbidden:
            problem = problem or _problem_above(self.path)
        if problem:
            what, where = f"{self._what} {problem}", str(self.path)
            raise SpinstackError(what, where=where, remedy=self._remedy)

    def directory(
        self, name: str | PurePosixPath, mode: int = 0o755, owner: Owner | None = None
    ) -> Directory:
        """A directory below and all on the way to it, made if they are missing; closed with this
        one. Raises as the opening does."""
        first, *rest = PurePosixPath(name).parts or (".",)
        if first == ".":
            return self
        if first not in self._below:
            self._below[first] = self._close.enter_context(self.child(first, mode, owner))
        return self._below[first].directory(PurePosixPath(*rest), mode, owner)

    def child(self, name: str, mode: int = 0o755, owner: Owner | None = None) -> Directory:
        """A directory in this one, made if it is missing. Used with `with`, since this one does not
        close it: of however many, few are open at a time. Raises as the opening does."""
        what, remedy = self._what, self._remedy
        return Directory(self.path / name, mode, what=what, remedy=remedy, owner=owner, above=self)

    def write(self, name: str, data: bytes, mode: int = 0o644, owner: Owner | None = None) -> None:
        """Write a file, whole or not at all, in place of what has this name: a link is replaced,
        not followed."""
        half = f".{name}.half"
        with suppress(FileNotFoundError):
            os.unlink(half, dir_fd=self._descriptor)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        descriptor = os.open(half, flags, 0o600, dir_fd=self._descriptor)
        try:
            with os.fdopen(descriptor, "wb") as stream:
                stream.write(data)
                os.fchmod(stream.fileno(), mode)
                if owner:
                    os.fchown(stream.fileno(), *owner)
            os.rename(half, name, src_dir_fd=self._descriptor, dst_dir_fd=self._descriptor)
        except BaseException:
            os.unlink(half, dir_fd=self._descriptor)
            raise

    def read(self, name: str) -> bytes | None:
        """A small file, None if there is none."""
        return read_small(name, at=self._descriptor)

    def __enter__(self) -> Directory:
        return self

    def __exit__(self, *_: Any) -> None:
        self._close.close()


def problem_of(status: os.stat_result, owners: set[int], forbidden: int) -> str:
    """Why this can't be used as a directory of these owners, empty if it can; `forbidden`: the
    mode bits that it must not have."""
    if stat.S_ISLNK(status.st_mode):
        return "is a link"
    if not stat.S_ISDIR(status.st_mode):
        return "is not a directory"
    if status.st_uid not in owners:
        return f"belongs to somebody else (uid {status.st_uid})"
    if status.st_mode & forbidden:
        return f"is accessible to others (mode {stat.S_IMODE(status.st_mode):o})"
    return ""


def _problem_above(path: Path) -> str:
    """Why others could exchange the directory itself, empty if they can't."""
    mode = path.parent.stat().st_mode
    if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
        return "is in a directory where everybody can exchange it"
    return ""


def read_small(name: str | Path, *, at: int | None = None) -> bytes | None:
    """The content of a file that anybody may have put there, in the open directory `at`: None
    unless it is a small, regular file. Waits for nothing, as opening a FIFO would."""
    try:
        descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=at)
    except OSError:
        return None
    with os.fdopen(descriptor, "rb") as stream:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_size > _SMALL:
            return None
        return stream.read(_SMALL)


def make_parents(path: Path, mode: int = PRIVATE) -> None:
    """The directories above, with this mode: `parents=True` gives them that of the umask."""
    parent = path.parent
    if not parent.is_dir():
        make_parents(parent, mode)
        with suppress(FileExistsError):
            parent.mkdir(mode)


def check(directory: Path, *, what: str, remedy: str) -> bool:
    """Whether the directory exists. Raises SpinstackError for one that `Directory` refuses."""
    try:
        problem = problem_of(directory.lstat(), {os.geteuid()}, OTHERS_WRITE)
        problem = problem or _problem_above(directory)
    except FileNotFoundError:
        return False
    if problem:
        raise SpinstackError(f"{what} {problem}", where=str(directory), remedy=remedy)
    return True


def write_private(file: Path, text: str) -> None:
    """Write a file, whole or not at all, that only we can read."""
    import tempfile

    handle, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
        Path(name).replace(file)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
