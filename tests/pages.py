"""What the pages of docs/ show to be typed and to be written."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from tests.baking import REPOSITORY

DOCS = REPOSITORY / "docs"
_FILE = re.compile(r"(?m)^```\{code-block\} \w+\n:caption: (\S+)\n\n((?:.*\n)*?)```$")
_BLOCK = re.compile(r"(?m)((?:^    .*\n)+)(?:\n```text\n((?:.*\n)*?)```$)?")


@dataclass(frozen=True)
class Typed:
    """What is typed, the exit code that the page names, the lines that it shows below."""

    line: str
    code: int
    shown: tuple[str, ...]


def commands(page: str) -> list[Typed]:
    """Those in indented blocks; the text that follows the last one of a block is what it prints."""
    found: list[Typed] = []
    for block in _BLOCK.finditer((DOCS / page).read_text(encoding="utf-8")):
        lines = [line.strip() for line in block[1].splitlines()]
        for number, line in enumerate(lines, 1):
            told = re.search(r"# exit code (\d)", line)
            shown = (block[2] or "").splitlines() if number == len(lines) else []
            found.append(Typed(line, int(told[1]) if told else 0, tuple(shown)))
    return found


def files(page: str) -> dict[str, str]:
    """The files of a page, by their captions."""
    return dict(_FILE.findall((DOCS / page).read_text(encoding="utf-8")))


def write(directory: Path, shown: dict[str, str]) -> None:
    """Write files of a page, as its reader does."""
    for name, text in shown.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
