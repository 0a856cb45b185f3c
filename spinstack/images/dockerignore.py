"""What `.dockerignore` leaves out of a build context, by Docker's own rules.

Source: docs.docker.com, "Build context", section ".dockerignore files", and the package
moby/patternmatcher, which Docker and BuildKit both read the file with. Pure: text and
paths in, yes or no out.
"""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass

_WILDCARD = re.compile(r"[*?\[\\]")


@dataclass(frozen=True)
class _Pattern:
    """One line: `expression` matches the paths it is about, `keeps`: it began with `!`.

    `fixed` are its leading parts without wildcards, to know which directories it can reach.
    """

    expression: re.Pattern[str]
    keeps: bool
    fixed: tuple[str, ...]

    def matches(self, path: str) -> bool:
        return self.expression.fullmatch(path) is not None


@dataclass(frozen=True)
class Ignore:
    """The patterns of one file, in order: the last one that matches decides."""

    patterns: tuple[_Pattern, ...] = ()

    @classmethod
    def parse(cls, text: str) -> Ignore:
        """From the text of a `.dockerignore`. Raises ValueError naming a line that is wrong."""
        patterns = []
        for number, line in enumerate(text.removeprefix("\ufeff").split("\n"), start=1):
            try:
                pattern = _pattern(line)
            except ValueError as error:
                raise ValueError(f"line {number}: {error}") from None
            if pattern:
                patterns.append(pattern)
        return cls(tuple(patterns))

    def ignores(self, path: str) -> bool:
        """Whether the path (relative to the context, parts joined by /) is left out.

        A pattern that matches a directory covers everything in it.
        """
        parts = path.split("/")
        itself_and_above = ["/".join(parts[: i + 1]) for i in range(len(parts))]
        ignored = False
        for pattern in self.patterns:
            # A line that would change nothing is skipped.
            if pattern.keeps == ignored and any(map(pattern.matches, itself_and_above)):
                ignored = not pattern.keeps
        return ignored

    def can_skip(self, directory: str) -> bool:
        """Whether nothing below an ignored directory can be kept by a later `!` line."""
        parts = tuple(directory.split("/"))
        kept = (pattern.fixed for pattern in self.patterns if pattern.keeps)
        return not any(_agree(parts, fixed) for fixed in kept)


def _agree(parts: tuple[str, ...], fixed: tuple[str, ...]) -> bool:
    """Whether one of the two paths may be at or below the other."""
    return all(a == b for a, b in zip(parts, fixed, strict=False))


def _pattern(line: str) -> _Pattern | None:
    """One line as a pattern; None for an empty line or a comment. Raises ValueError."""
    # For Docker a # begins a comment only in the first column.
    text = "" if line.startswith("#") else line.strip()
    if not text:
        return None
    keeps = text.startswith("!")
    if keeps:
        text = text[1:].strip()
        if not text:
            raise ValueError("nothing after the !")
    text = _cleaned(text)
    fixed = []
    for part in text.split("/"):
        if _WILDCARD.search(part):
            break
        fixed.append(part)
    return _Pattern(re.compile(_expression(text, keeps), re.DOTALL), keeps, tuple(fixed))


def _cleaned(text: str) -> str:
    """Without slashes at the ends, doubled slashes, and `.` and `..` parts (Go's Clean)."""
    clean = posixpath.normpath(text)
    return clean.lstrip("/") or "/"


def _expression(pattern: str, keeps: bool) -> str:
    """The pattern as a regular expression for a whole path. Raises ValueError."""
    out = []
    at = 0
    while at < len(pattern):
        if pattern.startswith("**", at):
            at += 2
            if at == len(pattern):
                out.append(".*")
            elif pattern[at] == "/":
                at += 1
                out.append("(?:.*/)?")
            else:
                # Whole directories only, except that in newer engines a pattern without other
                # wildcards may begin inside a name (`**.pyc`: Docker 28 yes, 20.10 no). If in
                # doubt a file is kept, so that no engine sees one that was not counted.
                lone = keeps and at == 2 and not _WILDCARD.search(pattern, at)
                out.append(".*" if lone else "(?:.*/)?")
            continue
        piece, at = _piece(pattern, at)
        out.append(piece)
    return "".join(out)


def _piece(pattern: str, at: int) -> tuple[str, int]:
    """The expression of one character or character class at `at`, and where it ends."""
    character = pattern[at]
    if character == "*":
        return "[^/]*", at + 1
    if character == "?":
        return "[^/]", at + 1
    if character == "[":
        return _character_class(pattern, at + 1)
    if character == "\\":
        if at + 1 == len(pattern):
            raise ValueError("a \\ with nothing after it")
        return re.escape(pattern[at + 1]), at + 2
    return re.escape(character), at + 1


def _character_class(pattern: str, at: int) -> tuple[str, int]:
    """`[a-z]`, `[^x]` from after the bracket on, by the rules of Go's `filepath.Match`."""
    negated = pattern.startswith("^", at)
    at += negated
    members: list[str] = []
    while not (members and pattern.startswith("]", at)):
        first, at = _class_character(pattern, at)
        last = first
        if pattern.startswith("-", at):
            last, at = _class_character(pattern, at + 1)
        if first > last:
            raise ValueError(f"[{first}-{last}] runs backwards")
        members.append(f"{re.escape(first)}-{re.escape(last)}")
    return f"[{'^' if negated else ''}{''.join(members)}]", at + 1


def _class_character(pattern: str, at: int) -> tuple[str, int]:
    if pattern.startswith("\\", at):
        at += 1
    elif pattern[at : at + 1] in ("-", "]"):
        raise ValueError(f"{pattern[at]} must be written \\{pattern[at]} inside [ ]")
    if at >= len(pattern):
        raise ValueError("a [ without a ]")
    return pattern[at], at + 1
