"""Questions on stdout, answers from stdin."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence


class LineReader:
    """Reads lines through a buffer of its own.

    What it has read ahead is lost to the next reader: that is how answers piped in for two
    questions get lost in the real client.
    """

    def __init__(self) -> None:
        self._buffer = b""

    def line(self) -> str | None:
        """The next line without its end, or None at end-of-file."""
        while b"\n" not in self._buffer:
            part = os.read(0, 4096)
            if not part:
                return None
            self._buffer += part
        line, self._buffer = self._buffer.split(b"\n", 1)
        return line.decode("utf-8", "replace").strip()


def select(heading: str, choices: Sequence[str]) -> int:
    """The index of the choice made. At end-of-file it asks for ever, without a pause; the
    heading stands once."""
    lines = [f"[{index}] {text}" for index, text in enumerate(choices, 1)]
    question = "\n".join(lines) + "\nSelect: "
    reader = LineReader()
    sys.stdout.write(f"{heading}\n")
    while True:
        sys.stdout.write(question)
        sys.stdout.flush()
        answer = reader.line() or ""
        if answer.isdecimal() and 1 <= int(answer) <= len(choices):
            return int(answer) - 1
