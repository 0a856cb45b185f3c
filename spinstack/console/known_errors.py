"""Known error texts in plain words: what they mean and what to do.

The texts are data, `translations.yaml` in this package; a stack can add its own in a file
of that name beside its invoke.yaml, which is asked first. Nothing is read before an error
has to be explained.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from spinstack.errors import SpinstackError, UsageError

FILE = "translations.yaml"
# More of a text than an error ever needs; a log may be megabytes.
LONGEST = 200_000


@dataclass(frozen=True)
class Translation:
    """An error text understood: the cause and the remedy in a sentence each, and where it is
    known from."""

    id: str
    cause: str
    remedy: str
    source: str


@dataclass(frozen=True)
class Entry:
    """A pattern and its meaning; `<name>` in cause and remedy is the pattern's group of that
    name."""

    id: str
    pattern: re.Pattern[str]
    cause: str
    remedy: str
    source: str

    def read(self, text: str) -> Translation | None:
        match = self.pattern.search(text)
        if match is None:
            return None
        groups = {name: value or "" for name, value in match.groupdict().items()}

        def filled(sentence: str) -> str:
            return re.sub(r"<(\w+)>", lambda part: groups.get(part[1], part[0]), sentence)

        return Translation(self.id, filled(self.cause), filled(self.remedy), self.source)


def explain(text: str, stack: Path | None = None) -> Translation | None:
    """The first known meaning of an error text; None if it is not known.

    `stack`: directory of a stack, whose own entries go first. Raises UsageError if that
    file is broken.
    """
    return next(_meanings(text, stack), None)


def notes(lines: Iterable[str], stack: Path | None = None) -> list[str]:
    """What is known about the lines of a log: two lines for each cause, none twice."""
    said = []
    for known in _meanings("\n".join(lines), stack):
        said += [f"cause: {known.cause}", f"  to do: {known.remedy}"]
    return said


def _meanings(text: str, stack: Path | None) -> Iterator[Translation]:
    """Every entry that fits, the more special before the more general of one cause."""
    bare = re.sub(r"\x1b\[[0-9;]*m", "", text[-LONGEST:])
    seen = set()
    for entry in (*(own(stack) if stack else ()), *packaged()):
        family = entry.id.partition(".")[0]
        known = entry.read(bare) if family not in seen else None
        if known:
            seen.add(family)
            yield known


@cache
def packaged() -> tuple[Entry, ...]:
    """The entries of this package, in the order in which they are asked."""
    return read(Path(__file__).with_name(FILE))


@cache
def own(stack: Path) -> tuple[Entry, ...]:
    """A stack's own entries; none without a file. Raises UsageError if it is broken."""
    path = stack / FILE
    return read(path) if path.is_file() else ()


def read(path: Path) -> tuple[Entry, ...]:
    """A file of entries: a list of mappings with id, pattern, cause, remedy and source.

    Raises UsageError that names the entry.
    """
    import yaml

    # Libyaml's reader takes a tenth of the time, where PyYAML was built with it.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        values = yaml.load(path.read_text(encoding="utf-8"), loader) or []
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UsageError(f"{FILE} can't be read: {error}", where=str(path)) from None
    if not isinstance(values, list):
        raise UsageError(f"{FILE} is no list", where=str(path), remedy="- id: …")
    return tuple(_entry(value, number, path) for number, value in enumerate(values, 1))


def _entry(value: Any, number: int, path: Path) -> Entry:
    remedy = "id, pattern, cause, remedy, and source if you like, each a text"
    where = f"{path}, entry {number}"
    if not isinstance(value, dict) or set(value) - {"id", "pattern", "cause", "remedy", "source"}:
        raise UsageError("not an entry of translations", where=where, remedy=remedy)
    texts = {str(key): text for key, text in value.items() if isinstance(text, str)}
    if not {"id", "pattern", "cause", "remedy"} <= set(texts):
        raise UsageError("an entry of translations lacks a part", where=where, remedy=remedy)
    try:
        pattern = re.compile(texts["pattern"], re.IGNORECASE)
    except re.error as error:
        problem = f"the pattern is no regular expression: {error}"
        raise UsageError(problem, where=where, remedy="see Python's module re") from None
    source = texts.get("source", "the stack")
    return Entry(texts["id"], pattern, texts["cause"], texts["remedy"], source)


def lines_for(error: SpinstackError, stack: Path | None = None) -> list[str]:
    """What is appended to an error that a person sees: cause and remedy, if they are known.

    A stack's broken file of translations must not hide the error itself: it is told instead.
    """
    if error.explained:
        return []
    try:
        # Details may hold older lines of a log; what failed just now is the better witness.
        known = explain(error.what, stack) or explain(error.details, stack)
    except UsageError as broken:
        return [f"  ({broken.what}; {broken.where})"]
    if known is None:
        return []
    return [f"  cause: {known.cause}", f"  to do: {known.remedy}"]
