"""Known hosts files, read as ssh does: what can't be understood in them is skipped."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import paramiko

from spinstack.errors import UsageError
from spinstack.text import split_lines
from spinstack.transport.command import Command

# Known on this machine, whoever logs in from it.
SYSTEM = (Path("/etc/ssh/ssh_known_hosts"), Path("/etc/ssh/ssh_known_hosts2"))
REVOKED = "@revoked"


def of_all(configured: str) -> tuple[Path, ...]:
    """The files that hold for whoever logs in from this machine. `configured`: the ssh config's
    GlobalKnownHostsFile, empty if it is not set."""
    return tuple(map(Path, configured.split())) or SYSTEM


@dataclass(frozen=True)
class Entry:
    """A line: its marker (`@revoked`, `@cert-authority` or none), the names that it is about, and
    the key. `at`: file and line."""

    marker: str
    names: str
    kind: str
    blob: bytes
    at: str

    def is_about(self, name: str) -> bool:
        """By the rules of ssh: wildcards, and `!` for what is left out (sshd(8))."""
        found = False
        for given in self.names.split(","):
            if _is(name, given.removeprefix("!")):
                if given.startswith("!"):
                    return False
                found = True
        return found


def name_of(host: str, port: int, alias: str = "") -> str:
    """The name of a host in these files; `alias`: the ssh config's HostKeyAlias."""
    return alias or (host if port == 22 else f"[{host}]:{port}")


def keys(name: str, paths: Iterable[Path]) -> dict[str, paramiko.PKey]:
    """The host's known keys by type; of several the first. `name`: as in these files.

    Raises UsageError for a file that can't be read.
    """
    found: dict[str, paramiko.PKey] = {}
    for path in paths:
        for key in _keys(name, path):
            found.setdefault(key.get_name(), key)
    return found


def has(key: paramiko.PKey, name: str, paths: Iterable[Path]) -> bool:
    """Whether it is one of the host's known keys, of which there may be several of a type.

    Raises UsageError for a file that can't be read.
    """
    return any(known == key for path in paths for known in _keys(name, path))


def revoked(key: paramiko.PKey, name: str, paths: Iterable[Path]) -> str:
    """File and line that revoke the key for the host; empty if none does. `name`: as in these
    files; what is revoked for a host is revoked on all its ports.

    Raises UsageError for a file that can't be read.
    """
    host = re.sub(r"^\[(.*)\]:\d+$", r"\1", name)
    for path in paths:
        for entry in _entries(path):
            about = entry.is_about(name) or entry.is_about(host)
            if entry.marker == REVOKED and about and entry.blob == key.asbytes():
                return entry.at
    return ""


def forget(name: str, paths: Iterable[Path]) -> str:
    """The commands that remove the host's keys from the files that have them."""
    held = [path for path in dict.fromkeys(paths) if any(_keys(name, path))]
    return " && ".join(Command("ssh-keygen", "-R", name, "-f", str(p)).shown() for p in held)


def _keys(name: str, path: Path) -> Iterator[paramiko.PKey]:
    for entry in _entries(path):
        if entry.marker or not entry.is_about(name):
            continue
        try:
            yield paramiko.PKey.from_type_string(entry.kind, entry.blob)
        except Exception:  # whatever a line holds, paramiko's parsers raise all kinds
            continue


def _is(name: str, given: str) -> bool:
    if not given.startswith("|1|"):
        pattern = re.escape(given.lower()).replace(r"\*", ".*").replace(r"\?", ".")
        return re.fullmatch(pattern, name.lower()) is not None
    try:
        return paramiko.HostKeys.hash_host(name.lower(), given) == given
    except (ValueError, AssertionError, IndexError):
        return False


def _entries(path: Path) -> Iterator[Entry]:
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
    for number, line in enumerate(split_lines(content.decode("utf-8", "replace")), 1):
        fields = line.split()
        marker = fields.pop(0) if fields and fields[0].startswith("@") else ""
        if len(fields) < 3 or fields[0].startswith("#"):
            continue
        try:
            blob = base64.b64decode(fields[2])
        except ValueError:
            continue
        yield Entry(marker, fields[0], fields[1], blob, f"{path}:{number}")
