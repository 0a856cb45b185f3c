"""What docs/exit-codes.md says of each task."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

PAGE = Path(__file__).parents[2] / "exit-codes.md"
# Of this extension: a change of it makes Sphinx read all pages anew.
FORM = "1"


@cache
def codes() -> dict[str, tuple[str, ...]]:
    """Task -> the Markdown for the codes 0, 1 and 2."""
    found = {}
    for line in PAGE.read_text(encoding="utf-8").split("\n"):
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip().strip("|"))]
        for name in re.findall(r"`([^`]+)`", cells[0]) if len(cells) == 4 else ():
            found[name] = tuple(cells[1:])
    return found
