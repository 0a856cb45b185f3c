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


@dataclass(frozen=True)
class Walks:
    """README's ways from nothing to a page. `install`: typed first; `typed`: by the paragraph's
    bold words; `instead`: on Kubernetes, by what is typed otherwise."""

    install: str
    typed: dict[str, list[str]]
    instead: dict[str, str]


def walks() -> Walks:
    text = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    section = text.partition("\n## From nothing to a page\n")[2].partition("\n## ")[0]
    parts = re.split(r"(?m)^\*\*(.+?)\*\*", section)
    shown = {title: _typed(part) for title, part in zip(parts[1::2], parts[2::2], strict=True)}
    last = " ".join(parts[-1].split())
    instead = {
        "invoke rehearsal.start": _one(r"`(invoke rehearsal\.start --platform \w+)`", last),
        "invoke deploy": _one(r"`(invoke deploy --to [\w-]+)`", last),
    }
    (install,) = _typed(parts[0])
    return Walks(install, {title: lines for title, lines in shown.items() if lines}, instead)


def _typed(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.startswith("    ")]


def _one(pattern: str, text: str) -> str:
    (found,) = re.findall(pattern, text)
    return str(found)
