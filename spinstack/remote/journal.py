"""Reads the journal of a change as it arrives: its steps, their output, how it ended.

Its lines come from `job.sh`: output, and marks `spinstack-<id> SECONDS made WHAT`,
`… begin NAME`, `… end CODE`, `… alive`, `… over OUTCOME`, where SECONDS is the login node's clock.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from spinstack.remote import changes
from spinstack.text import whole_number

# How a change can end; the words of `job.sh`.
DONE = "done"
NOT_NOTED = "done, not noted"
LEFT_OPEN = "left open"
TAKEN_BACK = "taken back"
BACK_NOT_WELL = "taken back, not well"
STAYS = "stays"
UNFINISHED = "unfinished"
LOCK_LOST = "lock lost"
FAILED = "failed"


@dataclass
class JournalStep:
    """A step of a change: its output, its exit code (None while it runs), and when it began and
    ended (None while it runs), in seconds since 1970."""

    name: str
    begun: float
    lines: list[str] = field(default_factory=list)
    code: int | None = None
    ended: float | None = None

    @property
    def ok(self) -> bool:
        return self.code == 0

    @property
    def output(self) -> str:
        return "\n".join(self.lines)

    @property
    def seconds(self) -> float:
        return (self.ended or self.begun) - self.begun


class Journal:
    """The steps so far; `outcome` is empty until the change is over. `count`: lines read.

    `on_begin(step)`, `on_line(step, line)` and `on_end(step)` are called as it happens.
    """

    def __init__(
        self,
        job_id: str,
        *,
        on_begin: Callable[[JournalStep], None] = lambda step: None,
        on_line: Callable[[JournalStep, str], None] = lambda step, line: None,
        on_end: Callable[[JournalStep], None] = lambda step: None,
    ) -> None:
        self.steps: list[JournalStep] = []
        self.outcome = ""
        # What is being changed and by whom, in words.
        self.made = ""
        self.count = 0
        # Output between steps: from the shell's start-up files, or why it died.
        self.between: list[str] = []
        self._mark = changes.mark_word(job_id)
        self._on_begin, self._on_line, self._on_end = on_begin, on_line, on_end

    def take(self, line: str) -> None:
        """Read the next line, given without its newline."""
        self.count += 1
        word, _, rest = line.partition(" ")
        if word == self._mark:
            self._take_mark(*rest.split(" ", 2))
        elif self._open is None:
            self.between.append(line)
        else:
            self._open.lines.append(line)
            self._on_line(self._open, line)

    @property
    def under_way(self) -> JournalStep | None:
        """The step that is running now."""
        return self._open

    @property
    def _open(self) -> JournalStep | None:
        return self.steps[-1] if self.steps and self.steps[-1].code is None else None

    def _take_mark(self, seconds: str = "0", word: str = "", rest: str = "") -> None:
        at = float(max(whole_number(seconds) or 0, 0))
        step = self._open
        if step and step.lines and not step.lines[-1]:
            # Each mark starts with a newline of its own.
            step.lines.pop()
        if word == "begin":
            self.steps.append(JournalStep(rest, at))
            self._on_begin(self.steps[-1])
        elif word == "end" and step:
            code = whole_number(rest)
            step.code = 1 if code is None else code
            step.ended = at
            self._on_end(step)
        elif word == "made":
            self.made = rest
        elif word == "over":
            self.outcome = rest

    def step(self, name: str) -> JournalStep | None:
        """The last step with this name."""
        return next((step for step in reversed(self.steps) if step.name == name), None)

    @property
    def failed(self) -> JournalStep | None:
        """The first step that did not succeed: the cause of everything after it."""
        return next((step for step in self.steps if step.code not in (None, 0)), None)
