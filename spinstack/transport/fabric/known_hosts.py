"""Known hosts files, read as ssh does: what can't be understood in them is skipped."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import paramiko
from paramiko.hostkeys import HostKeyEntry

from spinstack.errors import UsageError
from spinstack.text import split_lines
from spinstack.transport.command import Command


def name_of(host: str, port: int) -> str:
    """The name of a host in these files."""
    return host if port == 22 else f"[{host}]:{port}"


def keys(name: str, paths: Iterable[Path]) -> dict[str, paramiko.PKey]:
    """The host's known keys by type; of several the first. `name`: as in these files.

    Raises UsageError for a file that can't be read.
    """
    found: dict[str, paramiko.PKey] = {}
    for path in paths:
        for key in _keys(name, path):
            found.setdefault(key.get_name(), key)
    return found


def forget(name: str, paths: Iterable[Path]) -> str:
    """The commands that remove the host's keys from the files that have them."""
    held = [path for path in dict.fromkeys(paths) if any(_keys(name, path))]
    return " && ".join(Command("ssh-keygen", "-R", name, "-f", str(p)).shown() for p in held)


def _keys(name: str, path: Path) -> Iterator[paramiko.PKey]:
    for entry in _entries(path):
        if entry.key and any(_is(name, given) for given in entry.hostnames or ()):
            yield entry.key


def _is(name: str, given: str) -> bool:
    if not given.startswith("|1|"):
        return name == given
    try:
        return paramiko.HostKeys.hash_host(name, given) == given
    except (ValueError, AssertionError, IndexError):
        return False


def _entries(path: Path) -> Iterator[HostKeyEntry]:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return
    except OSError as error:
        raise UsageError(
            f"the known hosts can't be read: {error.strerror}",
            where=str(path),
            remedy="make it a file that you can read, or move it away; then the login asks about "
            "the host's key again",
        ) from None
    for line in split_lines(content.decode("utf-8", "replace")):
        try:
            entry = HostKeyEntry.from_line(line.strip())
        except Exception:  # whatever a line holds, paramiko's parsers raise all kinds
            continue
        if entry:
            yield entry
