"""What was: the history of the stack, and what made the site at a given time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spinstack.tasks.task import JSON, TO, task

if TYPE_CHECKING:
    from spinstack.session import Session


@task(
    "run",
    help={
        "to": TO,
        "since": "only what is newer: 2w, 3d, 12h, or a date, with or without a time",
        "limit": "how many, the newest (default: 20; all with --since)",
        "json": JSON,
    },
)
def history(
    session: Session,
    to: str | None = None,
    since: str = "",
    limit: int = 0,
    json: bool = False,
) -> None:
    """Show who changed what, and when.

    Every change of what runs is written down on the project file system, with its release and
    its git commit (`+changes`: there were some that were not committed). The newest comes last.
    """
    from spinstack.remote.history import read

    read.show(session, since, limit, json=json)


@task(
    "run",
    help={
        "at": "a date, with or without a time and a zone, or 2w for two weeks ago (default: now)",
        "to": TO,
        "json": "print the fields of a CITATION.cff, as JSON",
        "bibtex": "print an entry for BibTeX",
    },
)
def cite(
    session: Session,
    at: str = "",
    to: str | None = None,
    json: bool = False,
    bibtex: bool = False,
) -> None:
    """Print which code and images made the site.

    For a paper, or to make the site again: release, git commit, images with their digests,
    commits of the code that is mounted. A date without a time means the end of that day; times
    without a zone are this machine's.
    """
    from spinstack.remote.history import cite

    cite.show(session, at, json=json, bibtex=bibtex)
