"""Where a release comes from: who made it, from which commit, with which images."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spinstack.errors import SpinstackError
from spinstack.remote.notes import ReleaseNote
from spinstack.remote.owner import Owner
from spinstack.transport.command import Command

if TYPE_CHECKING:
    from spinstack.session import Session
    from spinstack.transport.runner import Result


def note(session: Session, me: Owner, release_id: str) -> ReleaseNote:
    """The note stored beside a new release."""
    commit, dirty = _commit(session)
    return ReleaseNote(
        id=release_id,
        who=me.who,
        host=me.host,
        when=me.when,
        destination=session.destination.name,
        commit=commit,
        dirty=dirty,
        images=dict(session.stack.images),
    )


def _commit(session: Session) -> tuple[str, bool]:
    """The stack's git commit, and whether there are uncommitted changes; empty without git, or
    if the stack's files are not tracked by the repository around them."""
    try:
        head = _git(session, "rev-parse", "HEAD")
        if not head.ok or not (session.dry or _git(session, "ls-files", "--", ".").stdout):
            return "", False
        status = _git(session, "status", "--porcelain", "--", ".")
    except SpinstackError:
        return "", False
    return head.stdout.strip(), bool(status.stdout.strip())


def _git(session: Session, *words: str) -> Result:
    command = Command("git", "-C", str(session.directory), *words)
    return session.runner.run(command, timeout=30, changes=False)
