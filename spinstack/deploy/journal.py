"""Shows the journal of a change, finished or still running, to a person or a script."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from spinstack import times
from spinstack.errors import SpinstackError, UsageError
from spinstack.remote.access import remote_stack
from spinstack.remote.follow import Follow
from spinstack.remote.journal import Journal, JournalStep

if TYPE_CHECKING:
    from spinstack.session import Session

# Lines shown of a step that went well: the output is long, and only matters when it did not.
_BRIEF = 3

# What the id of a change, or the start of one, looks like.
_ID = re.compile(r"[0-9a-f-]*")


class View(Follow):
    """Prints each step when it ends, or (`raw`) each line as it comes."""

    def __init__(self, session: Session, job_id: str, *, steps: bool, raw: bool) -> None:
        super().__init__(session, job_id)
        self._print = session.console.result
        self._raw = raw
        self.journal = Journal(job_id, on_end=self._step_over if steps else lambda step: None)

    def _step_over(self, step: JournalStep) -> None:
        self._print("\n".join(lines(step)))

    def line(self, step: str, text: str) -> bool:
        if self._raw and step == "follow":
            self._print(text)
        return super().line(step, text)

    def rejoin(self) -> None:
        """Nothing is live in this view."""


def lines(step: JournalStep) -> list[str]:
    """A step: when it began (UTC), its name, how it ended, and its output if that matters."""
    at = times.after_1970(step.begun)
    end = "ok" if step.ok else f"exit code {step.code}" if step.code is not None else "not ended"
    head = f"{at:%Y-%m-%d %H:%M:%S}  {step.name:<24} {end:<14} {step.seconds:.0f} s"
    said = [line for line in step.lines if line.strip()]
    asked = [line for line in said if line.startswith("asked ")]
    wanted = said if not step.ok or step.name.startswith("last lines") else asked[-_BRIEF:]
    return [head, *(f"    {line}" for line in wanted)]


def show(session: Session, change: str, *, raw: bool, as_json: bool) -> None:
    """Print the newest journal, or that of the change whose id starts with `change`; follow one
    that is still running. Raises UsageError if there is none."""
    console = session.console
    if not _ID.fullmatch(change):
        raise UsageError(
            f"{change!r} is not the id of a change",
            remedy="give an id such as 20260131-040506-…, or the start of one",
        )
    with session.login_node() as node:
        remote = remote_stack(session, node)
        found = remote.newest_change(change)
        if not found and not session.dry:
            raise UsageError(
                f"there is no journal of {change!r}" if change else "there is no journal yet",
                where=remote.changes_place,
                remedy="see `invoke history`; only the journals of the last changes are kept",
            )
        view = View(session, found or "<change>", steps=not (raw or as_json), raw=raw)
        remote.follow(view)
    if session.dry:
        return
    if as_json:
        console.json(as_value(found, view.journal))
    elif not raw:
        if view.journal.under_way:
            console.result("\n".join(lines(view.journal.under_way)))
        console.result(f"{view.journal.made or found}: {view.journal.outcome or 'not responding'}")
    if not view.journal.outcome:
        raise SpinstackError(
            "the change has stopped responding before it ended",
            where=f"{remote.changes_place}/{found}",
            remedy="see `invoke status`; run `invoke deploy` to finish a deploy",
        )


def as_value(job_id: str, told: Journal) -> dict[str, object]:
    """For a script: the change, how it ended (empty if it has not), its steps."""
    return {
        "change": job_id,
        "made": told.made,
        "outcome": told.outcome,
        "steps": [
            {
                "name": step.name,
                "begun": times.after_1970(step.begun).isoformat(),
                "seconds": step.seconds,
                "exit_code": step.code,
                "output": step.output.strip(),
            }
            for step in told.steps
        ],
    }
