"""Entries put into the text of a YAML file, and scalars changed in it: comments, order and line
ends stay as they are."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from spinstack.config import goyaml

# Anchor and tag of a scalar, and the quote with which it begins.
_BEFORE_TEXT = re.compile(r"(?:[&!]\S*\s+)*['\"]?")


class Unclear(Exception):
    """The file is written in a way in which it can't be changed safely."""


@dataclass(frozen=True)
class Change:
    """A scalar as it is to be written, with quotes and anchor, and the value that it then has."""

    node: yaml.Node
    written: str
    value: str


@dataclass(frozen=True)
class Written:
    """A YAML file of the stack: name, text and root node."""

    name: str
    text: str
    root: yaml.MappingNode

    def values(self, key: str, line: int) -> Iterator[yaml.Node]:
        """What stands beside or below a key on a line (from 1)."""
        for node in goyaml.nodes(self.root):
            for name, value in node.value if isinstance(node, yaml.MappingNode) else ():
                if name.value == key and name.start_mark.line + 1 == line:
                    yield value

    def of(self, node: yaml.Node) -> str:
        """A node's own text."""
        return self.text[node.start_mark.index : node.end_mark.index]

    def begun(self, node: yaml.Node, old: str, new: str) -> Change:
        """A scalar that begins otherwise. Raises Unclear if it does not begin so as written."""
        text = self.of(node)
        found = _BEFORE_TEXT.match(text)
        at = found.end() if found else 0
        if not text.startswith(old, at) or not str(node.value).startswith(old):
            raise Unclear(f"{old} is written otherwise")
        return Change(node, text[:at] + new + text[at + len(old) :], new + node.value[len(old) :])

    def changed(self, changes: Iterable[Change]) -> str:
        """The text with these changes. Raises Unclear without any, or if anything else would then
        be read."""
        by_place = {change.node.start_mark.index: change for change in changes}
        text = self.text
        for at, change in sorted(by_place.items(), reverse=True):
            text = text[:at] + change.written + text[change.node.end_mark.index :]
        after = goyaml.root(text)
        values = {id(change.node): change.value for change in by_place.values()}
        if not values or after is None or _read(after, {}) != _read(self.root, values):
            raise Unclear(f"no safe change in {self.name}")
        return text


def _read(root: yaml.Node, values: dict[int, str]) -> list[tuple[str, str]]:
    """Tag and value of each node, always in the same order; some with other values."""
    return [
        (node.tag, values.get(id(node), node.value if isinstance(node, yaml.ScalarNode) else ""))
        for node in goyaml.nodes(root)
    ]


@dataclass(frozen=True)
class _Place:
    """A mapping that is to get an entry: line (from 0) and column of its name, what the name has as
    its value, and the first line of what comes after that."""

    line: int
    column: int
    value: yaml.Node
    end: int


def with_entry(text: str, path: Sequence[str], name: str, written: str) -> str:
    """The text with an entry at the end of the mapping at `path`, which is made if there is none.

    `written`: the entry as text with its name, without indentation, and perhaps with comments.
    Raises Unclear if the file would then not be what it was with this entry.
    """
    before = _loaded(text)
    made = _with_line_ends(text, _entered(text.replace("\r\n", "\n"), path, name, written))
    if _loaded(made) != _expected(before, path, name, _loaded(written)[name]):
        raise Unclear(f"no safe place for {name}")
    return made


def _loaded(text: str) -> Any:
    try:
        return yaml.load(text, Loader=goyaml.Loader)
    except (yaml.YAMLError, RecursionError, ValueError, LookupError) as error:
        raise Unclear("the file can't be read") from error


def _expected(before: Any, path: Sequence[str], name: str, value: Any) -> Any:
    if not path:
        if not isinstance(before, dict) or name in before:
            raise Unclear(f"{name} is there already")
        return {**before, name: value}
    if not isinstance(before, dict):
        raise Unclear(f"nothing can be below {path[0]}")
    below = before.get(path[0])
    inner = _expected({} if below is None else below, path[1:], name, value)
    return {**before, path[0]: inner}


def _with_line_ends(original: str, text: str) -> str:
    return text.replace("\n", "\r\n") if "\r\n" in original else text


def _entered(text: str, path: Sequence[str], name: str, written: str) -> str:
    lines = text.removesuffix("\n").split("\n")
    found = _place(text, path, len(lines))
    if found is None:
        # One level up, with its own name above it.
        below = "\n".join(f"  {line}" if line else line for line in written.strip("\n").split("\n"))
        apart = "" if path[1:] else "\n"
        return _entered(text, path[:-1], path[-1], f"{apart}{path[-1]}:\n{below}\n")
    if isinstance(found.value, yaml.MappingNode) and found.value.flow_style:
        return _into_braces(text, found.value, name, written)
    column = _column(found)
    more = [" " * column + line if line else line for line in written.rstrip("\n").split("\n")]
    at = _last_of(lines, found)
    return "\n".join([*lines[:at], *more, *lines[at:]]) + "\n"


def _place(text: str, path: Sequence[str], lines: int) -> _Place | None:
    root = yaml.compose(text, Loader=goyaml.Loader)
    if not isinstance(root, yaml.MappingNode):
        raise Unclear("the file is no mapping")
    found = _Place(-1, -1, root, lines)
    for name in path:
        if not isinstance(found.value, yaml.MappingNode):
            return None
        keys = [key for key, _ in found.value.value]
        ends = [*(key.start_mark.line for key in keys[1:]), found.end]
        pairs = zip(found.value.value, ends, strict=True)
        for (key, value), end in pairs:
            if key.value == name:
                found = _Place(key.start_mark.line, key.start_mark.column, value, end)
                break
        else:
            return None
    return found


def _column(found: _Place) -> int:
    if isinstance(found.value, yaml.MappingNode):
        first: int = found.value.start_mark.column
        return first
    if found.value.value:
        raise Unclear("there is something else in its place")
    return found.column + 2


def _last_of(lines: Sequence[str], found: _Place) -> int:
    """The line before which an entry goes: blank lines, and comments that stand no deeper than the
    name of the mapping, belong to what follows."""
    at = found.end
    while at > found.line + 1:
        line = lines[at - 1]
        deep = len(line) - len(line.lstrip()) > found.column
        if line.strip() and not (line.lstrip().startswith("#") and not deep):
            break
        at -= 1
    return at


def _into_braces(text: str, value: yaml.MappingNode, name: str, written: str) -> str:
    entry = goyaml.in_braces({name: _loaded(written)[name]})[1:-1]
    at = value.start_mark.index + 1
    comma = ", " if value.value else ""
    return f"{text[:at]}{entry}{comma}{text[at:]}"
