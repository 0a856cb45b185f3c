"""Which files of a stack's directory are part of a release.

What a file is, is asked before it is read: a link can lead to somebody's private key, a file can
be larger than memory, and opening a FIFO waits for ever.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from spinstack.errors import SpinstackError

# Everything else in the directory is part of a release, except hidden files.
LEFT_OUT = {"__pycache__", "venv", "node_modules", "artefacts"}
# A stack's directory is some 30 kB; more than this must be data that doesn't belong in it.
LARGEST = 20_000_000


def files(directory: Path) -> Iterator[Path]:
    """The regular files, sorted by name, without hidden ones and LEFT_OUT; of links those to
    such files that do not lead out of the directory."""
    root = directory.resolve()
    return (path for path in _named(directory) if path.is_file() and not _is_outside(path, root))


def links_outside(directory: Path) -> list[Path]:
    """The links to files elsewhere, whose contents must not leave this machine."""
    root = directory.resolve()
    return [path for path in _named(directory) if path.is_file() and _is_outside(path, root)]


def check(directory: Path) -> None:
    """Raises SpinstackError for a directory that no release can be made of. Reads no file."""
    check_size(directory)
    for link in links_outside(directory):
        raise SpinstackError(
            f"{link.relative_to(directory).as_posix()} is a link out of the stack's directory",
            where=f"{link}, to {link.readlink()}",
            remedy="replace it by a copy, or move it out of the directory",
        )


def check_size(directory: Path) -> None:
    """Raises SpinstackError if the files are too large together. Reads none of them."""
    sizes = {path: path.stat().st_size for path in files(directory)}
    if sum(sizes.values()) > LARGEST:
        largest = max(sizes, key=lambda path: sizes[path]).relative_to(directory).as_posix()
        raise SpinstackError(
            f"the stack's directory holds more than {LARGEST // 1_000_000} MB",
            where=f"{largest} is the largest file in it",
            remedy="move data out of the directory; data is mounted, not uploaded",
        )


def _named(directory: Path) -> Iterator[Path]:
    """Everything but directories whose name lets it be part of a release. Raises SpinstackError
    for a directory that can't be read."""
    try:
        inside = sorted(directory.iterdir())
    except OSError as error:
        raise SpinstackError(
            f"the directory {directory.name} can't be read: {error.strerror}",
            where=str(directory),
            remedy="make it readable, or move it out of the stack's directory",
        ) from None
    for path in inside:
        if path.name.startswith(".") or path.name in LEFT_OUT or path.suffix == ".pyc":
            continue
        if path.is_dir() and not path.is_symlink():
            yield from _named(path)
        else:
            yield path


def _is_outside(path: Path, root: Path) -> bool:
    return path.is_symlink() and not path.resolve().is_relative_to(root)
