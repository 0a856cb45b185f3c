"""The deep audit: every directory in what is mounted; for `--deep`.

Done by `walk_tree.py` if the login node has a python3, else by `find`.
"""

from __future__ import annotations

import re
import shlex
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from spinstack.checks.login_node import Use, container_ids
from spinstack.checks.survey import Survey
from spinstack.checks.walk import Entry
from spinstack.rules.finding import Finding, Severity
from spinstack.text import split_lines
from spinstack.transport.command import Command, Raw, Secret
from spinstack.transport.login_node import LoginNode
from spinstack.transport.script import Script, Step, json_objects

# Enough for years of nightly pages on a busy file system.
SECONDS = 3600
# How many directories of a tree are checked one by one.
LIMIT = 1000


@dataclass(frozen=True)
class Tree:
    """A tree as it was found. `closed`: how many directories lack o+x; `first`: the first of
    them. `directories`: how many there are, None if `find` did not count them."""

    path: str
    directories: int | None
    closed: int
    first: tuple[Entry, ...]
    unreadable: int


def audit(node: LoginNode, seen: Survey, uses: list[Use]) -> list[Finding]:
    """Look through each mounted directory. Raises SpinstackError if the connection fails or the
    time is up."""
    ends = {use.mount.source: seen.ways[use.mount.source].end for use in uses}
    paths = outermost(end.path for end in ends.values() if end and end.is_directory)
    if not paths:
        return []
    result = node.run(Script((step(paths),), seconds=SECONDS))
    found: list[Finding] = []
    for tree in parse(result.output("trees"), paths):
        inside = [use for use in uses if (end := ends[use.mount.source]) and _in(end.path, tree)]
        found += _findings(tree, inside, seen.uid)
    return found


def outermost(paths: Iterable[str]) -> list[str]:
    """The paths, without those inside another one."""
    unique = sorted(set(paths))
    return [
        path
        for path in unique
        if not any(str(parent) in unique for parent in PurePosixPath(path).parents)
    ]


def _in(path: str, tree: Tree) -> bool:
    return PurePosixPath(path).is_relative_to(tree.path)


def step(paths: list[str]) -> Step:
    """One command for all trees."""
    source = Path(__file__).with_name("walk_tree.py").read_text(encoding="utf-8")
    python = ("python3", "-I", "-S", "-c", Secret(source, label="<walk_tree.py>"))
    find = ("find", *paths, "-type", "d", "!", "-perm", "-o+x", "-printf", "%m %U %G %p\\n")
    command = Command(
        Raw("if command -v python3 >/dev/null 2>&1; then"),
        *python,
        str(LIMIT),
        *paths,
        Raw("; else"),
        *find,
        Raw("; fi"),
    )
    return Step("trees", (command,), must=False)


def parse(output: str, paths: list[str]) -> list[Tree]:
    """The trees, from the output of either program."""
    lines = split_lines(output)
    trees = list(filter(None, map(_from_json, json_objects(output))))
    return trees or list(_from_find(lines, paths))


def _from_json(found: dict[str, Any]) -> Tree | None:
    """None for any other object."""
    try:
        first = tuple(_entry(mode, uid, gid, str(path)) for mode, uid, gid, path in found["first"])
        counts = [int(found[key]) for key in ("directories", "closed", "unreadable")]
        return Tree(str(found["tree"]), counts[0], counts[1], first, counts[2])
    except (LookupError, TypeError, ValueError, OverflowError):
        return None


def _from_find(lines: list[str], paths: list[str]) -> Iterator[Tree]:
    matches = [re.fullmatch(r"([0-7]+) (\d{1,10}) (\d{1,10}) (/.*)", line) for line in lines]
    entries = [
        _entry(int(match[1], 8), int(match[2]), int(match[3]), match[4])
        for match in matches
        if match
    ]
    for path in paths:
        own = [entry for entry in entries if PurePosixPath(entry.path).is_relative_to(path)]
        refused = sum(line.startswith("find: ") and path in line for line in lines)
        yield Tree(path, None, len(own), tuple(own[:LIMIT]), refused)


def _entry(mode: int, uid: int, gid: int, path: str) -> Entry:
    return Entry(path, stat.S_IFDIR | mode, uid, gid)


def _findings(tree: Tree, uses: list[Use], uid: int | None) -> Iterator[Finding]:
    if tree.unreadable:
        problem = f"you can't look into {tree.unreadable} directories in it"
        remedy = "ask their owner to run the same check"
        yield Finding("tree-unreadable", tree.path, problem, remedy, "warning")
    if not tree.closed:
        return
    shut = _shut(tree, uses)
    of = f" of {tree.directories}" if tree.directories is not None else ""
    problem = f"{tree.closed}{of} directories in it lack o+x: {_some(tree.first)}"
    if shut:
        problem += f"; containers can't enter {len(shut)} of them: {_some(shut)}"
    change = f"find {shlex.quote(tree.path)} -type d ! -perm -o+x -exec chmod o+x {{}} +"
    owners = sorted({entry.uid for entry in tree.first})
    if owners != [uid]:
        named = " and ".join("you" if owner == uid else f"uid {owner}" for owner in owners)
        change = f"to be run by {named}: {change}"
    severity: Severity = "error" if shut else "warning"
    yield Finding("tree-walk", tree.path, problem, change, severity)


def _shut(tree: Tree, uses: list[Use]) -> list[Entry]:
    """Those that a container that mounts the tree can't list and enter."""
    ids = {container_ids(use.service) for use in uses}
    return [
        entry
        for entry in tree.first
        if any(uid is not None and not entry.allows(5, uid, groups) for uid, groups in ids)
    ]


def _some(entries: Iterable[Entry]) -> str:
    paths = [entry.path if entry.path.isprintable() else repr(entry.path) for entry in entries]
    return ", ".join(paths[:3]) + (", …" if len(paths) > 3 else "")
