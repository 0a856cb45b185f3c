"""Flags as Go's flag package reads them: `-x`, `--x`, `--x=V`, `--x V`; never `-xy` for two."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from .failure import UsageFailure

_TRUE = ("1", "t", "T", "true", "TRUE", "True")
_FALSE = ("0", "f", "F", "false", "FALSE", "False")


class Flag(NamedTuple):
    """`names` are its spellings, the first one its key. `kind`: switch, text, number, list."""

    names: tuple[str, ...]
    kind: str
    help: str = ""
    default: Any = None

    @property
    def empty(self) -> Any:
        if self.default is not None:
            return self.default
        return {"switch": False, "text": "", "number": 0, "list": []}[self.kind]


class Parsed(NamedTuple):
    options: dict[str, Any]
    names: list[str]


def switch(*names: str, help: str = "") -> Flag:
    return Flag(names, "switch", help)


def text(*names: str, help: str = "", default: str = "") -> Flag:
    return Flag(names, "text", help, default)


def number(*names: str, help: str = "", default: int = 0) -> Flag:
    return Flag(names, "number", help, default)


def several(*names: str, help: str = "") -> Flag:
    return Flag(names, "list", help)


def parse(words: Sequence[str], flags: Sequence[Flag], mixed: bool = True) -> Parsed:
    """Options and names of a command line.

    With `mixed`, flags may also stand after names; else the first name ends them. Raises
    UsageFailure for an unknown flag or one without its value.
    """
    known = {name: flag for flag in flags for name in flag.names}
    options = {flag.names[0]: flag.empty for flag in flags}
    names: list[str] = []
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if word == "--":
            return Parsed(options, names + rest)
        if not word.startswith("-") or word == "-":
            names.append(word)
            if not mixed:
                return Parsed(options, names + rest)
            continue
        _set(word, rest, known, options)
    return Parsed(options, names)


def _set(word: str, rest: list[str], known: dict[str, Flag], options: dict[str, Any]) -> None:
    name, equals, value = word.lstrip("-").partition("=")
    flag = known.get(name)
    if flag is None:
        raise UsageFailure(f"flag provided but not defined: -{name}")
    key = flag.names[0]
    if flag.kind == "switch":
        options[key] = _boolean(name, value) if equals else True
        return
    if not equals:
        if not rest:
            raise UsageFailure(f"flag needs an argument: -{name}")
        value = rest.pop(0)
    if flag.kind == "list":
        options[key] = [*options[key], value]
    elif flag.kind == "number":
        options[key] = _number(name, value)
    else:
        options[key] = value


def _boolean(name: str, value: str) -> bool:
    if value in _TRUE or value in _FALSE:
        return value in _TRUE
    raise UsageFailure(f'invalid boolean value "{value}" for -{name}')


def _number(name: str, value: str) -> int:
    try:
        return int(value)
    except ValueError:
        raise UsageFailure(
            f'invalid value "{value}" for flag -{name}: '
            f'strconv.ParseInt: parsing "{value}": invalid syntax'
        ) from None
