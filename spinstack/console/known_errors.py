"""Known error texts in plain words: what they mean and what to do.

The texts are data, `known_errors.yaml` in this package; a stack can add its own in a file
`translations.yaml` beside its invoke.yaml, which is tried first. Nothing is read until an
error has to be explained.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from spinstack.console.error_table import Entry, Occasion, own, packaged
from spinstack.errors import SpinstackError, UsageError

# More of a text than an error ever needs; a log may be megabytes.
LONGEST = 200_000


@dataclass(frozen=True)
class Translation:
    """A known error: cause and remedy in a sentence each, and where it is known from. `named`:
    what the pattern's groups matched."""

    id: str
    cause: str
    remedy: str
    source: str
    named: Mapping[str, str] = field(default_factory=dict)


def find(text: str, when: Occasion, fields: Mapping[str, str] | None = None) -> Translation | None:
    """The first known meaning of what a program printed on this occasion; None if unknown.
    `fields`: values for the `<name>` in cause and remedy."""
    for entry in packaged():
        known = _read(entry, text, fields or {}) if when in entry.when else None
        if known:
            return known
    return None


def explain(text: str, stack: Path | None = None) -> Translation | None:
    """The first known meaning of an error text, whatever was being done; None if unknown.

    `stack`: directory of a stack, whose own entries come first. Raises UsageError if that file
    is not valid.
    """
    return next(_meanings(text, stack), None)


def load() -> None:
    """Read what `notes` will need, while there is nothing else to do."""
    for entry in packaged():
        if not entry.when:
            entry.pattern  # noqa: B018 - compiled now


def notes(lines: Iterable[str], stack: Path | None = None) -> list[str]:
    """What is known about the lines of a log: two lines for each cause, none twice."""
    said = []
    for known in _meanings("\n".join(lines), stack):
        said += [f"cause: {known.cause}", f"  fix:   {known.remedy}"]
    return said


def lines_for(error: SpinstackError, stack: Path | None = None) -> list[str]:
    """What is appended to an error that is shown: cause and remedy, if they are known.

    A mistake in a stack's own table must not hide the error itself: it is shown instead.
    """
    if error.explained:
        return []
    try:
        # Details may hold older lines of a log; what failed just now says more.
        known = explain(error.what, stack) or explain(error.details, stack)
    except UsageError as broken:
        return [f"  ({broken.what}; {broken.where})"]
    # A remedy that only points at the logs is worth less than what is known about their end.
    if error.cause and (known is None or "`invoke logs`" not in error.remedy):
        return [f"  cause: {error.cause}", f"  fix:   {error.remedy}"]
    if known is None:
        return []
    return [f"  cause: {known.cause}", f"  fix:   {known.remedy}"]


def _meanings(text: str, stack: Path | None) -> Iterator[Translation]:
    """Every matching entry without an occasion; of one cause, the special before the general."""
    bare = re.sub(r"\x1b\[[0-9;]*m", "", text[-LONGEST:])
    seen = set()
    for entry in (*(own(stack) if stack else ()), *packaged()):
        family = entry.id.partition(".")[0]
        known = None if entry.when or family in seen else _read(entry, bare, {})
        if known:
            seen.add(family)
            yield known


def _read(entry: Entry, text: str, fields: Mapping[str, str]) -> Translation | None:
    """The entry's meaning, its sentences filled in, if its pattern is in the text."""
    match = entry.pattern.search(text)
    if match is None:
        return None
    named = {name: value or "" for name, value in match.groupdict().items()}
    values = {**fields, **named}

    def filled(sentence: str) -> str:
        return re.sub(r"<(\w+)>", lambda part: values.get(part[1], part[0]), sentence)

    return Translation(entry.id, filled(entry.cause), filled(entry.remedy), entry.source, named)
