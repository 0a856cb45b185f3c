"""Reads the known errors: the table of this package, and a stack's own `translations.yaml`.

Both are read once, and only when an error has to be explained.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any, Literal

from spinstack.errors import UsageError
from spinstack.text import read_yaml

TABLE = Path(__file__).with_name("known_errors.yaml")
# A stack's own, beside its invoke.yaml.
OWN = "translations.yaml"

# What was being done when a program printed it; explained in the table.
Occasion = Literal[
    "build",
    "push",
    "registry-login",
    "local-up",
    "engine-version",
    "rancher-step",
    "kubectl-step",
    "remote-write",
    "ssh-login",
    "ssh-config",
    "ssh-connect",
]
# Whose words they are.
Group = Literal[
    "files",
    "rancher1",
    "kubernetes",
    "containers",
    "registry",
    "engine",
    "services",
    "ssh",
    "login_node",
    "network",
]


@dataclass(frozen=True)
class Entry:
    """A pattern and its meaning; `<name>` in cause and remedy is the pattern's group of that
    name, or a field that the caller knows. `when`: the occasions on which it applies; none: to
    every error that is shown. `group`: whose words they are, empty for a stack's own."""

    id: str
    words: str
    cause: str
    remedy: str
    source: str
    when: tuple[str, ...] = ()
    group: str = ""

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """Compiled when it is first tried: few are."""
        return re.compile(self.words, re.IGNORECASE)


@cache
def packaged() -> tuple[Entry, ...]:
    """The entries of this package, in the order in which they are tried."""
    found = []
    for group, values in _content(TABLE).items():
        for number, value in enumerate(values, 1):
            when = tuple(value.pop("when", ()))
            found.append(_entry(value, f"{TABLE}, {group}, entry {number}", when, group))
    return tuple(found)


@cache
def own(stack: Path) -> tuple[Entry, ...]:
    """A stack's own entries; none without a file. A list of mappings with id, pattern, cause,
    remedy and source. Raises UsageError naming the entry that is not valid."""
    path = stack / OWN
    values = (_content(path) or []) if path.is_file() else []
    if not isinstance(values, list):
        raise UsageError(f"{OWN} is not a list", where=str(path), remedy="begin it with - id: …")
    return tuple(_own(value, f"{path}, entry {n}") for n, value in enumerate(values, 1))


def _own(value: Any, where: str) -> Entry:
    entry = _entry(value, where)
    try:
        entry.pattern  # noqa: B018 - compiled now
    except (re.error, OverflowError, RecursionError) as error:
        problem = f"the pattern is not a regular expression: {error}"
        raise UsageError(problem, where=where, remedy="see Python's module re") from None
    return entry


def _content(path: Path) -> Any:
    """What a YAML file holds. Raises UsageError."""
    try:
        return read_yaml(path.read_bytes())
    except OSError as error:
        problem = f"{path.name} can't be read: {error.strerror}"
    except ValueError as error:
        problem = f"{path.name} is {error}"
    raise UsageError(problem, where=str(path), remedy="fix the file, or restore it from git")


def _entry(value: Any, where: str, when: tuple[str, ...] = (), group: str = "") -> Entry:
    remedy = "each entry needs id, pattern, cause and remedy (source is optional), all text"
    if not isinstance(value, dict) or set(value) - {"id", "pattern", "cause", "remedy", "source"}:
        raise UsageError("not a valid known error", where=where, remedy=remedy)
    texts = {str(key): text for key, text in value.items() if isinstance(text, str)}
    if not {"id", "pattern", "cause", "remedy"} <= set(texts):
        raise UsageError("a known error is incomplete", where=where, remedy=remedy)
    source = texts.get("source", "the stack")
    words, cause = texts["pattern"], texts["cause"]
    return Entry(texts["id"], words, cause, texts["remedy"], source, when, group)
