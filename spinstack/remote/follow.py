"""Follows a change that runs on its own on the login node: its steps, live, on the console."""

from __future__ import annotations

import time
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING

from spinstack.platforms import rows
from spinstack.platforms.health import Watcher
from spinstack.remote.journal import Journal, JournalStep

if TYPE_CHECKING:
    from spinstack.console.progress import StepDisplay
    from spinstack.session import Session

# Step of the journal -> its name on the console. The others are shown only when they fail.
_SHOWN = {
    "render": "render",
    "let it settle": "let it settle",
    "take back what is stuck": "roll back",
    "stop what is in the way": "stop",
    "wait until healthy": "wait until healthy",
    "ask the site": "ask the site",
    "confirm": "confirm",
    "prune": "prune",
    "roll back": "roll back",
    "wait for the old ones": "wait for the old ones",
}
# Their failure follows from another one, or is not a failure of the change.
_ASIDE = ("look again", "unlock", "forget the upgrade", "write it down", "wait for a word")


class Failed(Exception):
    """Makes the console's step end as failed."""


class Follow:
    """One change, followed from here. `creating`: its upgrade is shown as a start; `uploaded`: the
    release that is uploaded first, if any; `yes`: every question was answered with yes already.

    At most one step is on the console at any time; `started`: the change may have begun.
    """

    def __init__(
        self,
        session: Session,
        job_id: str,
        *,
        creating: bool = False,
        uploaded: str = "",
        yes: bool = False,
    ) -> None:
        self.session, self.yes = session, yes
        self._names = {**_SHOWN, "bring up": "start" if creating else "upgrade"}
        self._uploaded = uploaded
        # The step on the console, and what takes it from there.
        self._display: StepDisplay | None = None
        self._end = ExitStack()
        # What was printed since the last round of states; what the rounds so far add up to.
        self._lines: list[str] = []
        self._watcher = Watcher([])
        self.id = job_id
        self.journal = Journal(job_id, on_begin=self._begun, on_line=self._said, on_end=self._ended)
        self.started = False

    def sent(self, done: int, total: int) -> None:
        """`done` of `total` bytes of the script that starts the change, with the release in it,
        were sent."""
        if self._uploaded:
            self._uploading().bytes(done, total)

    def outer(self, step: str) -> None:
        """A step of that script begins."""
        if step in ("start", "follow"):
            self.leave()
            self.started = True
        elif self._uploaded:
            self._uploading()

    def _uploading(self) -> StepDisplay:
        if self._display:
            return self._display
        display = self._show("upload")
        display.done(self._uploaded)
        return display

    def line(self, step: str, text: str) -> bool:
        """A line that such a step printed; it never ends the step."""
        if step == "follow":
            self.journal.take(text)
        return False

    def rejoin(self) -> None:
        """Show the step that is under way, again."""
        step = self.journal.under_way
        if step and self._display is None and step.name in self._names:
            self._show(self._names[step.name])

    def leave(self, *, well: bool = True, goes_on: bool = False) -> None:
        """Stop showing anything: somebody is asked something, or it is over."""
        display, self._display = self._display, None
        if display and goes_on:
            display.done("continues on the login node")
        with suppress(Failed), self._end.pop_all():
            if not well:
                raise Failed

    def _show(self, name: str) -> StepDisplay:
        self._display = self._end.enter_context(self.session.console.step(name))
        return self._display

    def _begun(self, step: JournalStep) -> None:
        self.leave()
        self._lines = []
        self._watcher = Watcher(list(self.session.stack.service_names))
        if step.name in self._names:
            self._show(self._names[step.name])

    def _said(self, step: JournalStep, line: str) -> None:
        if line.startswith("round "):
            self._take_round(line)
        elif line.startswith("asked "):
            self._tell(line.removeprefix("asked "))
        else:
            self._lines.append(line)

    def _take_round(self, end: str) -> None:
        """The lines so far are the output of one look; the last word of `end` is its exit code."""
        lines, self._lines = self._lines, []
        if end == "round 0":
            self._watcher.take(
                rows.parse(
                    "\n".join(lines), self.session.settings.stack, self.session.platform.words
                )
            )
            self._tell(self._watcher.summary)

    def _tell(self, text: str) -> None:
        if self._display:
            self._display.detail(text)
            self._display.done(text)

    def _ended(self, step: JournalStep) -> None:
        aside = step.name in _ASIDE or step.name.startswith("last lines")
        if self._display is None and not step.ok and not aside:
            self._show(step.name)
        if self._display and step.seconds > self._display.seconds + 1:
            # It was over before we began to follow.
            self._display.began = time.monotonic() - step.seconds
        self.leave(well=step.ok)
