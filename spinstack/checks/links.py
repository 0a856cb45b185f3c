"""Links in the stack's directory to files outside of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from spinstack.config import release_files
from spinstack.rules.finding import Finding


def findings(directory: Path) -> Iterator[Finding]:
    """An error for each: a release would hold a copy of the file, readable for the group."""
    for link in release_files.links_outside(directory):
        problem = f"a link to {link.readlink()}, which is not in the stack's directory"
        remedy = "replace it by a copy, or move it out of the directory"
        where = link.relative_to(directory).as_posix()
        yield Finding("link-outside", where, problem, remedy)
