"""The walk from `/` down to what is mounted, by one `stat` of every directory on the way.

Pure: paths in, a command out; its output in, the way and who may pass out. Symbolic links lead
elsewhere, so the directories on the way to their targets are looked at in a further round.
"""

from __future__ import annotations

import re
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from spinstack.text import split_lines
from spinstack.transport.command import Command

# How many links Linux follows in one path (path_resolution(7)).
MOST_LINKS = 40


@dataclass(frozen=True)
class Entry:
    """What `stat` says about a path itself (links are not followed). `target`: of a link."""

    path: str
    mode: int
    uid: int
    gid: int
    owner: str = ""
    group: str = ""
    target: str = ""

    @property
    def is_directory(self) -> bool:
        return stat.S_ISDIR(self.mode)

    @property
    def is_link(self) -> bool:
        return stat.S_ISLNK(self.mode)

    @property
    def permissions(self) -> str:
        return stat.filemode(self.mode)

    def allows(self, wanted: int, uid: int, groups: Iterable[int]) -> bool:
        """Whether an account may read (4), write (2), enter (1), or a sum of these.

        Only the first of owner, group and other that applies decides. Root is no exception: on the
        global file systems it is `nobody`.
        """
        bits = self.mode
        if uid != 0 and uid == self.uid:
            bits >>= 6
        elif uid != 0 and self.gid in set(groups):
            bits >>= 3
        return bits & wanted == wanted


# What was asked about: path -> what is there, None if there is nothing (or nothing to be seen).
Table = Mapping[str, "Entry | None"]


def parts(path: str) -> list[str]:
    """`/`, `/a`, `/a/b`: the path and all directories above it, from the root down."""
    pure = PurePosixPath(path)
    return [str(parent) for parent in reversed(pure.parents)] + [str(pure)]


def stat_command(paths: Iterable[str]) -> Command:
    """One process that looks at every path, no matter which are missing.

    GNU coreutils; names are quoted as in C, so that each line of output is one path, whatever
    characters its name has.
    """
    words = ("env", "LC_ALL=C", "QUOTING_STYLE=c", "stat", "-c", "%f %u %g %U %G %N", "--")
    return Command(*words, *paths)


_QUOTED = r'"((?:[^"\\]|\\.)*)"'
_ID = r"(\d{1,10})"
_LINE = re.compile(rf"([0-9a-f]+) {_ID} {_ID} (\S+) (\S+) {_QUOTED}(?: -> {_QUOTED})?")


def parse(output: str, asked: Iterable[str]) -> dict[str, Entry | None]:
    """The answers of `stat_command`; None for each path that it has no answer for."""
    table: dict[str, Entry | None] = dict.fromkeys(asked)
    for line in split_lines(output):
        match = _LINE.fullmatch(line.rstrip("\r"))
        if match:
            path, target = _unquoted(match[6]), _unquoted(match[7] or "")
            mode, uid, gid = int(match[1], 16), int(match[2]), int(match[3])
            table[path] = Entry(path, mode, uid, gid, match[4], match[5], target)
    return table


_ESCAPES = {"a": 7, "b": 8, "f": 12, "n": 10, "r": 13, "t": 9, "v": 11}


def _unquoted(text: str) -> str:
    """A name from C's notation; bytes that are not UTF-8 as Python represents them in names."""

    def byte(match: re.Match[bytes]) -> bytes:
        escape = match[1].decode()
        if escape[0] in "01234567":
            return bytes([int(escape, 8) & 255])
        return bytes([_ESCAPES[escape]]) if escape in _ESCAPES else match[1]

    raw = text.encode("utf-8", "surrogateescape")
    return re.sub(rb"\\([0-7]{1,3}|.)", byte, raw).decode("utf-8", "surrogateescape")


@dataclass
class Way:
    """The way to a source. `passed`: directories in the order in which they are entered. `end`:
    what is mounted. Without an end: `missing` is the first part that does not exist, `loop` one of
    the links that never end, `unknown` are paths to look at first."""

    source: str
    passed: list[Entry] = field(default_factory=list)
    end: Entry | None = None
    missing: str = ""
    loop: str = ""
    unknown: list[str] = field(default_factory=list)

    @property
    def blocked(self) -> Entry | None:
        """The first directory on the way that others may not enter: Spin's nodes, whose root is
        `nobody` on the global file systems, get no further."""
        return next((entry for entry in self.passed if not entry.mode & stat.S_IXOTH), None)

    def hidden_behind(self, uid: int, groups: Iterable[int]) -> Entry | None:
        """The directory that an account may not enter, so that it can't tell whether something is
        really `missing` in it."""
        last = self.passed[-1] if self.passed and self.missing else None
        return last if last and not last.allows(1, uid, groups) else None


def walk(source: str, table: Table) -> Way:
    """Go from the root to an absolute path as the kernel does, links followed."""
    way = Way(source)
    todo = list(reversed(PurePosixPath(source).parts[1:]))
    here: list[str] = []
    links = 0
    if not _enter(way, table, "/"):
        return way
    while todo:
        part = todo.pop()
        if part == "..":
            here = here[:-1]
            continue
        if way.end and not way.end.is_directory:
            way.missing, way.end = _joined([*here, part]), None
            return way
        path = _joined([*here, part])
        if not _enter(way, table, path, todo):
            return way
        entry = way.end
        assert entry
        if not entry.is_link:
            here.append(part)
            continue
        links += 1
        if links > MOST_LINKS:
            way.loop, way.end = path, None
            return way
        target = PurePosixPath(entry.target)
        if target.is_absolute():
            here = []
        todo += reversed(target.parts[1:] if target.is_absolute() else target.parts)
        way.end = table[_joined(here)]
    way.end = table[_joined(here)]
    return way


def _enter(way: Way, table: Table, path: str, todo: Iterable[str] = ()) -> bool:
    """Take one step; false if the way ends here, as noted in it."""
    way.end = None
    if path not in table:
        below = PurePosixPath(path, *reversed(list(todo)))
        way.unknown = [p for p in parts(str(below)) if p not in table and ".." not in p.split("/")]
        return False
    entry = table[path]
    if entry is None:
        way.missing = path
        return False
    if entry.is_directory and entry not in way.passed:
        way.passed.append(entry)
    way.end = entry
    return True


def _joined(names: list[str]) -> str:
    return "/" + "/".join(names)
