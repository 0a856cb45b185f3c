"""What people see while a task runs: steps with their times, then the result.

Progress goes to standard error, results to standard output, so that `$(invoke url)` and
`--json` give only the result. Colour and live lines only on a terminal
(rich's rules: NO_COLOR, TERM=dumb).

Whatever is shown may come from elsewhere: its control characters never reach a terminal. Our own
colours and movements are added afterwards.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any

from spinstack.console import streams
from spinstack.console.advice import addressed
from spinstack.console.board import Board
from spinstack.console.progress import StepDisplay
from spinstack.console.terminal import can_move, is_plain
from spinstack.text import NO_TEXT, harmless, one_line, split_lines

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console as RichConsole

    from spinstack.errors import SpinstackError

__all__ = ["Console", "StepDisplay", "columns"]

_CLEAR = "\x1b[H\x1b[2J\x1b[3J"


class Console:
    """Prints steps, results and errors."""

    def __init__(self, *, dry: bool = False, stack: Path | None = None, to: str = "") -> None:
        """`dry`: steps are headings of what would run, not things that happened. `stack`: the
        stack's directory, which may have known errors of its own. `to`: the destination that was
        named, which the commands in advice name, too."""
        self._rich: RichConsole | None = None
        self._dry = dry
        self.stack = stack
        self._to = to
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
        with streams.expendable():
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
        self._board.say(lambda: self._print(addressed(text, self._to)))

    def warn(self, text: str) -> None:
        line = "warning: " + addressed(text, self._to)
        self._board.say(lambda: self._print(line, "yellow"))

    def warn_of(self, text: str) -> None:
        """A warning in somebody else's words, with the fix if they are known."""
        from spinstack.console import known_errors

        self.warn(text)
        known = known_errors.explain(text, self.stack)
        if known:
            self.note(f"  fix:   {known.remedy}")

    def _print(self, text: str, style: str = "") -> None:
        """A line on standard error; its style where there are colours."""
        text = harmless(text)
        with streams.expendable():
            if is_plain(sys.stderr):
                print(text, file=sys.stderr, flush=True)
            else:
                self.rich.print(text, style=style, markup=False)

    def error(self, error: SpinstackError) -> None:
        """Details first, then what failed, where, why if it is known, and what to do."""
        from spinstack.console import known_errors

        if error.details:
            for line in split_lines(error.details.rstrip()):
                self._print("  | " + line, "dim")
        first, *rest = error.lines()
        self._print(addressed(first, self._to), "bold red")
        # A known cause has a better remedy than the general one; only one is ever shown.
        known = known_errors.lines_for(error, self.stack)
        if len(known) > 1 and error.remedy:
            rest.pop()
        for line in (*rest, *known):
            self._print(addressed(line, self._to))

    def result(self, text: str) -> None:
        """The result, on standard output. Like all that follow, it raises SpinstackError if that
        can't be written, and BrokenPipeError if nobody reads it any more."""
        self._out(lambda: print(harmless(text)))

    def advice(self, text: str) -> None:
        """A line of the result that says what to do."""
        self.result(addressed(text, self._to))

    def advised(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        """The fields of something wrong, for a script; its `remedy` can be typed as it stands."""
        return {**fields, "remedy": addressed(fields.get("remedy", ""), self._to)}

    def page(self, text: str) -> None:
        """A result in place of what a terminal shows."""
        clear = _CLEAR if can_move(sys.stdout) else ""
        self._out(lambda: print(clear + harmless(text)))

    def marked(self, mark: str, style: str, text: str) -> None:
        """A line of the result that begins with a coloured word."""
        self._coloured(harmless(mark) + " ", style, harmless(text))

    def verbatim(self, text: str, label: str = "", style: str = "") -> None:
        """A line of a log, or a file, behind a coloured label; where it goes into a pipe or a file,
        nothing in it is changed."""
        shown = harmless if sys.stdout.isatty() else str
        self._coloured(shown(label), style, shown(text))

    def _coloured(self, mark: str, style: str, text: str) -> None:
        if is_plain(sys.stdout):
            self._out(lambda: print(mark + text))
            return
        from rich.text import Text

        self._out(lambda: self._rich_out.print(Text.assemble((mark, style), text)))

    @cached_property
    def _rich_out(self) -> RichConsole:
        from rich.console import Console as RichConsole

        return RichConsole(highlight=False, soft_wrap=True)

    def _out(self, write: Callable[[], None]) -> None:
        with self._board.aside(), streams.needed():
            write()
            sys.stdout.flush()

    def json(self, value: Any, *, indent: int | None = 2) -> None:
        """The result for a script; `indent=None`: on one line. Control characters are escaped, and
        what another encoding than UTF may lack, so its values are never changed."""
        narrow = not (sys.stdout.encoding or "").lower().startswith("utf")
        text = json.dumps(value, indent=indent, ensure_ascii=narrow)
        self.result(NO_TEXT.sub(lambda found: f"\\u{ord(found[0]):04x}", text))

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
    shown = [[one_line(harmless(cell)) for cell in row] for row in [headings, *rows]]
    widths = [max(map(len, column)) for column in zip(*shown, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in shown
    ]
