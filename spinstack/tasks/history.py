"""The history of the stack, and what made the site at a given time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spinstack.tasks.task import JSON, TO, task

if TYPE_CHECKING:
    from spinstack.session import Session


@task(
    "run",
    help={
        "to": TO,
        "since": "only newer entries: 2w, 3d, 12h, or a date, with or without a time",
        "limit": "how many of the newest entries (default: 20; all with --since)",
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

    Every change to what runs is recorded at the destination, with its release and git commit
    (`+changes`: with uncommitted changes): on the project file system, or in the namespace. The
    newest comes last.
    """
    from spinstack.remote.history import read

    read.show(session, since, limit, json=json)


@task(
    "run",
    help={
        "at": "a date, with or without time and time zone, or 2w for two weeks ago (default: now)",
        "to": TO,
        "json": "print the fields of a CITATION.cff, as JSON",
        "bibtex": "print a BibTeX entry",
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

    For a paper, or to reproduce the site: release, git commit, images with their digests, and
    commits of the mounted code. A date without a time means the end of that day; a time without
    a zone is in this machine's.
    """
    from spinstack.remote.history import cite

    cite.show(session, at, json=json, bibtex=bibtex)
