"""Shows the journal of a change, finished or under way, for a person or a script."""

from __future__ import annotations

import re
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from spinstack.errors import SpinstackError, UsageError
from spinstack.remote.access import remote_stack
from spinstack.remote.follow import Follow
from spinstack.remote.journal import Journal, JournalStep

if TYPE_CHECKING:
    from spinstack.session import Session

# Told when it is well: what they print is long, and of interest only when it is not.
_BRIEF = 3

# The beginning of a change's id.
_ID = re.compile(r"[0-9a-f-]*")


class View(Follow):
    """Prints each step when it is over, or each line as it is."""

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
        """Nothing is live here."""


def lines(step: JournalStep) -> list[str]:
    """A step: when it began (UTC), its name, its end, and what it printed if that matters."""
    at = datetime.fromtimestamp(step.begun, timezone.utc)
    end = "ok" if step.ok else f"exit code {step.code}" if step.code is not None else "no end"
    head = f"{at:%Y-%m-%d %H:%M:%S}  {step.name:<24} {end:<14} {step.seconds:.0f} s"
    said = [line for line in step.lines if line.strip()]
    asked = [line for line in said if line.startswith("asked ")]
    wanted = said if not step.ok or step.name.startswith("last lines") else asked[-_BRIEF:]
    return [head, *(f"    {line}" for line in wanted)]


def show(session: Session, change: str, *, raw: bool, as_json: bool) -> None:
    """Print the newest journal, or that of the change whose id begins so; one that is under way
    until it is over. Raises UsageError if there is none."""
    console = session.console
    if not _ID.fullmatch(change):
        raise UsageError(
            f"{change!r} is no change", remedy="its id, such as 20260131-040506-…, or its beginning"
        )
    with session.login_node() as node:
        remote = remote_stack(session, node)
        found = remote.newest_change(change)
        if not found and not session.dry:
            raise UsageError(
                f"there is no change {change!r}" if change else "nothing has been changed yet",
                where=str(remote.root / "changes"),
                remedy="see `invoke history`; journals of the last changes are kept",
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
        console.result(f"{view.journal.made or found}: {view.journal.outcome or 'no sign of life'}")
    if not view.journal.outcome:
        raise SpinstackError(
            "the change has given no sign of life, and has not come to its end",
            where=str(remote.root / "changes" / found),
            remedy="`invoke deploy` finishes a deploy; `invoke status` tells what else it left",
        )


def as_value(job_id: str, told: Journal) -> dict[str, object]:
    """For a script: the change, how it ended (empty: not yet), its steps."""
    return {
        "change": job_id,
        "made": told.made,
        "outcome": told.outcome,
        "steps": [
            {
                "name": step.name,
                "begun": datetime.fromtimestamp(step.begun, timezone.utc).isoformat(),
                "seconds": step.seconds,
                "exit_code": step.code,
                "output": step.output.strip(),
            }
            for step in told.steps
        ],
    }
