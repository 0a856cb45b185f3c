"""Before the first deploy: prepare the login node."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from spinstack.tasks.task import JSON, TO, YES, task
from spinstack.tasks.topics import Topic

if TYPE_CHECKING:
    from spinstack.session import Session
    from spinstack.setup.plan import Line


@task("make", help={"to": TO, "yes": YES, "json": JSON})
def setup(session: Session, to: str | None = None, yes: bool = False, json: bool = False) -> None:
    """Prepare the project directory at NERSC.

    Creates what is missing: the project directory, the directories for pages and data, the
    checkouts listed under `checkouts` in invoke.yaml, o+x on directories that are yours, and
    the access key. What exists is kept; a checkout with local changes is never touched. Running
    it again changes nothing. On Kubernetes with `kubectl: laptop` it only looks at your access.

    Exit codes: 0 everything is ready, 1 failed or something needs you (the line says what),
    2 wrong usage.
    """
    from spinstack.setup import project

    lines = project.setup(session, yes=yes)
    if session.dry:
        return
    if json:
        session.console.json([session.console.advised(line.as_dict()) for line in lines])
    else:
        _show(session, lines)
    if any(line.state == "needs you" for line in lines):
        from invoke.exceptions import Exit

        raise Exit(code=1)


def _show(session: Session, lines: Sequence[Line]) -> None:
    width = max(len(line.what) for line in lines)
    for line in lines:
        session.console.result(f"{line.state:<9}  {line.what:<{width}}  {line.where}: {line.text}")
        if line.remedy:
            session.console.advice(f"{'':<9}  {'':<{width}}  fix: {line.remedy}")
    session.console.result(f"{session.where}: {told(lines)}")


def told(lines: Sequence[Line]) -> str:
    """The summary in one sentence."""
    done = sum(line.state in ("made", "updated") for line in lines)
    open_ = sum(line.state == "needs you" for line in lines)
    parts = [f"{done} made or updated"] if done else []
    if open_:
        parts.append(f"{open_} need{'s' if open_ == 1 else ''} you")
    return ", ".join(parts) or "everything is ready, nothing to do"


TOPIC = Topic("make", "Prepare the login node", (setup,))
