"""What people see while a task runs: steps with their times, then the result.

Progress goes to standard error, results to standard output, so that `$(invoke url)` and
`--json` give only the result. Colour and live lines only on a terminal
(rich's rules: NO_COLOR, TERM=dumb).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from spinstack.console.board import Board
from spinstack.console.progress import StepDisplay
from spinstack.console.terminal import is_plain

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console as RichConsole

    from spinstack.errors import SpinstackError

__all__ = ["Console", "StepDisplay", "columns"]


class Console:
    """Prints steps, results and errors."""

    def __init__(self, *, dry: bool = False, stack: Path | None = None) -> None:
        """`dry`: steps are headings of what would run, not things that happened. `stack`: the
        stack's directory, which may have known errors of its own."""
        self._rich: RichConsole | None = None
        self._dry = dry
        self.stack = stack
        self._board = Board(lambda: self.rich)

    @property
    def rich(self) -> RichConsole:
        """Made when first needed: importing rich takes longer than most tasks' own work."""
        if self._rich is None:
            from rich.console import Console as RichConsole

            self._rich = RichConsole(stderr=True, highlight=False, soft_wrap=True)
        return self._rich

    @property
    def live(self) -> bool:
        """Whether steps are shown while they run, in lines that change."""
        return not self._dry and self._board.can_move()

    @contextmanager
    def step(self, name: str, *, lasting: bool = True) -> Iterator[StepDisplay]:
        """One step of several: its name, its outcome, how long it took (seconds).

        Several threads may have steps at the same time. One that is not `lasting` leaves a
        line only if it fails.
        """
        step = StepDisplay(name)
        if self._dry:
            self.result(f"# {name}")
            yield step
            return
        self._board.begin(step)
        mark = "✗"
        try:
            yield step
            mark = "✓" if lasting else ""
        except BaseException as error:
            if _is_a_stop(error):
                step.done("stopped")
            raise
        finally:
            self._board.end(step)
            if mark:
                self._board.say(lambda: self._print_end(mark, step))

    def _print_end(self, mark: str, step: StepDisplay) -> None:
        line, took = f"{step.name:<18} {step.outcome}", f"{step.seconds:.1f} s"
        if is_plain(sys.stderr):
            self._print(f"{mark} {line} {took}")
            return
        from rich.text import Text

        style = "green" if mark == "✓" else "red"
        self.rich.print(Text.assemble((mark, style), f" {line} ", (took, "dim")))

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Exclusive use of the terminal while someone is asked something: live lines go away, and
        output of other threads waits. Without a console, use the function of this name in
        `board`."""
        with self._board.paused():
            yield

    def note(self, text: str) -> None:
        """A line besides the result."""
        self._board.say(lambda: self._print(text))

    def warn(self, text: str) -> None:
        line = "warning: " + text
        self._board.say(lambda: self._print(line, "yellow"))

    def warn_of(self, text: str) -> None:
        """A warning in somebody else's words, with the fix if they are known."""
        from spinstack.console import known_errors

        self.warn(text)
        known = known_errors.explain(text, self.stack)
        if known:
            self.note(f"  fix:   {known.remedy}")

    def _print(self, text: str, style: str = "") -> None:
        """A line on standard error, as it is; its style where there are colours."""
        if is_plain(sys.stderr):
            print(text, file=sys.stderr, flush=True)
        else:
            self.rich.print(text, style=style, markup=False)

    def error(self, error: SpinstackError) -> None:
        """Details first, then what failed, where, why if it is known, and what to do."""
        from spinstack.console import known_errors

        if error.details:
            for line in error.details.rstrip().splitlines():
                self._print("  | " + line, "dim")
        first, *rest = error.lines()
        self._print(first, "bold red")
        # A known cause has a better remedy than the general one; only one is ever shown.
        known = known_errors.lines_for(error, self.stack)
        if len(known) > 1 and error.remedy:
            rest.pop()
        for line in (*rest, *known):
            self._print(line)

    def result(self, text: str) -> None:
        """The result, on standard output."""
        with self._board.aside():
            print(text)
            sys.stdout.flush()

    def marked(self, mark: str, style: str, text: str) -> None:
        """A line of the result that begins with a coloured word."""
        if is_plain(sys.stdout):
            self.result(f"{mark} {text}")
            return
        from rich.console import Console as RichConsole
        from rich.text import Text

        with self._board.aside():
            out = RichConsole(highlight=False, soft_wrap=True)
            out.print(Text.assemble((mark, style), f" {text}"))

    def json(self, value: Any) -> None:
        """The result for a script."""
        self.result(json.dumps(value, indent=2, ensure_ascii=False))

    def table(self, headings: list[str], rows: list[list[str]]) -> None:
        """Columns on standard output, as wide as their widest cell."""
        for line in columns(headings, rows):
            self.result(line)


def _is_a_stop(error: BaseException) -> bool:
    """Whether the step was stopped, rather than failed."""
    from spinstack.errors import Stopped

    return isinstance(error, KeyboardInterrupt | Stopped)


def columns(headings: list[str], rows: list[list[str]]) -> list[str]:
    """The lines of a table whose columns are as wide as their widest cell."""
    widths = [max(len(row[i]) for row in [headings, *rows]) for i in range(len(headings))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in [headings, *rows]
    ]
