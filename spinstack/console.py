"""What a person sees while a task runs: steps with their times, then the result.

Progress goes to standard error, results to standard output, so that `$(invoke url)` and
`--json` give the result alone. Colour and the spinner only where there is a terminal
(rich's rules: NO_COLOR, TERM=dumb).
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console as RichConsole
    from rich.status import Status

    from spinstack.errors import SpinstackError


class StepDisplay:
    """The step that is under way."""

    def __init__(self, status: Status | None, name: str) -> None:
        self._status = status
        self._name = name
        self.outcome = ""

    def detail(self, text: str) -> None:
        """What it waits for just now; seen on a terminal only."""
        if self._status:
            from rich.markup import escape

            self._status.update(f"{escape(self._name)}  [dim]{escape(text.strip()[:90])}[/]")

    def done(self, outcome: str) -> None:
        """What came out of it, shown when the step ends."""
        self.outcome = outcome


class Console:
    """Prints steps, results and errors."""

    def __init__(self, *, dry: bool = False, stack: Path | None = None) -> None:
        """`dry`: steps are headings of what would run, not things that happened. `stack`: the
        stack's directory, whose own translations of errors are known too."""
        self._rich: RichConsole | None = None
        self._dry = dry
        self.stack = stack

    @property
    def rich(self) -> RichConsole:
        """Made when first needed: importing rich takes longer than most tasks' own work."""
        if self._rich is None:
            from rich.console import Console as RichConsole

            self._rich = RichConsole(stderr=True, highlight=False, soft_wrap=True)
        return self._rich

    @contextmanager
    def step(self, name: str) -> Iterator[StepDisplay]:
        """A step of a longer way: its name, what came out, how long it took (seconds)."""
        if self._dry:
            self.result(f"# {name}")
            yield StepDisplay(None, name)
            return
        from rich.markup import escape

        begin = time.monotonic()
        status = self.rich.status(escape(name)) if self.rich.is_terminal else None
        display = StepDisplay(status, name)
        if status:
            status.start()
        mark = "[red]✗[/]"
        try:
            yield display
            mark = "[green]✓[/]"
        finally:
            if status:
                status.stop()
            seconds = time.monotonic() - begin
            self.rich.print(
                f"{mark} {escape(name):<18} {escape(display.outcome)} [dim]{seconds:.1f} s[/]"
            )

    def note(self, text: str) -> None:
        """A line beside the result."""
        self.rich.print(text, markup=False)

    def warn(self, text: str) -> None:
        self.rich.print("warning: " + text, style="yellow", markup=False)

    def error(self, error: SpinstackError) -> None:
        """Details first, then what failed, where, why if it is known, and what to do."""
        from spinstack import translator

        if error.details:
            for line in error.details.rstrip().splitlines():
                self.rich.print("  | " + line, markup=False, style="dim")
        first, *rest = error.lines()
        self.rich.print(first, markup=False, style="bold red")
        # The cause is asked for here and nowhere else; it stands before what to do.
        at = len(rest) - bool(error.remedy)
        known = translator.lines_for(error, self.stack)
        # After a rollback the remedy is a general one: a known cause has a better one.
        rest = rest[:at] if known and error.now else rest
        for line in (*rest[:at], *known, *rest[at:]):
            self.rich.print(line, markup=False)

    def result(self, text: str) -> None:
        """What was asked for, on standard output."""
        print(text)
        sys.stdout.flush()

    def json(self, value: Any) -> None:
        """The result for a script."""
        self.result(json.dumps(value, indent=2, ensure_ascii=False))

    def table(self, headings: list[str], rows: list[list[str]]) -> None:
        """Columns on standard output, as wide as their widest cell."""
        for line in columns(headings, rows):
            self.result(line)


def columns(headings: list[str], rows: list[list[str]]) -> list[str]:
    """The lines of a table whose columns are as wide as their widest cell."""
    widths = [max(len(row[i]) for row in [headings, *rows]) for i in range(len(headings))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in [headings, *rows]
    ]
