"""Commands as values: words, some of them secret, with two renderings.

What runs and what is shown come from one value, so an echo or a dry run can neither differ
from the real thing nor show a password. Only `shlex.quote` quotes.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

MASK = "********"


@dataclass(frozen=True)
class Secret:
    """A word that runs as it is and is shown as a mask (or as `label`, if it is just long)."""

    value: str
    label: str = MASK

    def __repr__(self) -> str:
        return f"Secret({self.label})"


@dataclass(frozen=True)
class Raw:
    """Our own shell syntax (`>`, `"$HOME"/x`), inserted unquoted. Never from user input."""

    text: str


Word = str | Secret | Raw


@dataclass(frozen=True)
class Command:
    """A command line. Plain strings are quoted where a shell reads them."""

    words: tuple[Word, ...]

    def __init__(self, *words: Word) -> None:
        object.__setattr__(self, "words", tuple(words))

    def argv(self) -> list[str]:
        """The words for a program started without a shell.

        Raises ValueError if one of the words is shell syntax.
        """
        argv = []
        for word in self.words:
            if isinstance(word, Raw):
                raise ValueError(
                    f"shell syntax in a command that runs without a shell: {word.text}"
                )
            argv.append(word.value if isinstance(word, Secret) else word)
        return argv

    def script(self) -> str:
        """The line as a shell runs it, secrets in clear."""
        return " ".join(_quoted(word) for word in self.words)

    def shown(self) -> str:
        """The line as people may see it, secrets masked."""
        return " ".join(
            word.label if isinstance(word, Secret) else _quoted(word) for word in self.words
        )

    def __str__(self) -> str:
        return self.shown()


def _quoted(word: Word) -> str:
    if isinstance(word, Raw):
        return word.text
    return shlex.quote(word.value if isinstance(word, Secret) else word)


def joined(commands: Iterable[Command], operator: str) -> Command:
    """The commands as one, with a shell operator (`&&`, `|`, `;`) between them."""
    words: list[Word] = []
    for command in commands:
        if words:
            words.append(Raw(operator))
        words.extend(command.words)
    return Command(*words)


@cache
def program(path: Path) -> str:
    """A file of this package in the language of a shell or of awk, without its comments: it is
    sent, and shown in a dry run."""
    lines = path.read_text(encoding="utf-8").split("\n")
    return "\n".join(line for line in lines if not line.lstrip().startswith("#")).strip()
