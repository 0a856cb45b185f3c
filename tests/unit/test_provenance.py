"""From which files a release was made."""

from __future__ import annotations

import subprocess
from pathlib import Path

from spinstack.deploy import provenance
from spinstack.remote.notes import ReleaseNote
from spinstack.remote.owner import make_owner
from spinstack.transport.runner import LocalRunner
from tests.unit.test_deploy import TestSession, directory, session, there

__all__ = ["directory", "session", "there"]


def test_a_repository_around_the_stack_that_does_not_know_it_is_not_cited(
    session: TestSession, directory: Path
) -> None:
    def note() -> ReleaseNote:
        session.programs = LocalRunner()  # type: ignore[assignment]
        return provenance.note(session, make_owner("alice", "here", "deploy"), "x")

    def git(*words: str) -> None:
        name = ("-c", "user.name=a", "-c", "user.email=a@example.org")
        subprocess.run(
            ["git", *name, *words], cwd=directory.parent, check=True, capture_output=True
        )

    git("init")
    (directory.parent / ".gitignore").write_text("demo/\n")
    git("add", ".")
    git("commit", "-m", "something else")
    assert note().commit == ""
    git("add", "--force", "demo")
    git("commit", "-m", "the stack, too")
    assert len(note().commit) == 40
    assert not note().dirty
    (directory / "stack.env").write_text("A=1\n")
    assert note().dirty
