"""The releases at a destination, and which of them nobody needs."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from spinstack.deploy import releases as deploy_releases
from spinstack.deploy.releases import Listed
from spinstack.remote import notes
from spinstack.remote.notes import ReleaseNote
from tests.unit.there import run_here


def test_pruning_leaves_what_runs_and_what_can_be_gone_back_to() -> None:
    def entry(number: int, state: str) -> Listed:
        return Listed(ReleaseNote(f"2025110{number}-000000-00000000"), state)

    found = [
        *(entry(1, "confirmed"), entry(2, "failed"), entry(3, "confirmed"), entry(4, "current")),
        *(entry(5, "failed"), entry(6, "unfinished")),
    ]
    old = [name[7] for name in deploy_releases.superfluous(found, keep=1)]
    assert old == ["1", "2", "5"]


def test_releases_are_listed_from_a_real_directory(tmp_path: Path) -> None:
    root = PurePosixPath(tmp_path)
    note = ReleaseNote("20251101-000000-aaaaaaaa", "alice", "x", dirty=True, images={"A": "b"})
    directory = tmp_path / "releases" / note.id
    directory.mkdir(parents=True)
    run_here([notes.note_release_step(PurePosixPath(directory), note)])
    assert notes.parse_releases(run_here([notes.read_releases_step(root)]))[0][1] is False
    run_here([notes.current_step(root, note.id)])
    output = run_here([notes.read_releases_step(root), notes.read_current_step(root)])
    assert (note, True) in notes.parse_releases(output)
    assert f"releases/{note.id}\n" in output
