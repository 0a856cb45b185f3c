"""Entries put into the text of a YAML file: comments, order and line ends stay as they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from spinstack.config import goyaml


class Unclear(Exception):
    """The file is written in a way in which there is no safe place for an entry."""


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
    inner = goyaml.in_braces(_loaded(written)[name])
    at = value.start_mark.index + 1
    comma = ", " if value.value else ""
    return f"{text[:at]}{name}: {inner}{comma}{text[at:]}"
