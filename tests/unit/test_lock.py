"""The lock: who has it, and when it was left behind."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as settings_of_hypothesis
from hypothesis import strategies as st

from spinstack.deploy import deploy, rollback, take_over
from spinstack.errors import SpinstackError
from spinstack.remote import errors, lock_steps, notes
from spinstack.remote import lock as remote_lock
from spinstack.remote.history import record
from spinstack.remote.lock import Holder, Life
from spinstack.remote.owner import for_job, make_owner, parse_owner
from spinstack.transport.login_node import ConnectionLost
from tests.unit.left_there import at, locked, lost
from tests.unit.test_deploy import TestSession, directory, session, site, there
from tests.unit.there import There, run_here, running

__all__ = ["directory", "session", "site", "there"]


def dead_process() -> int:
    dead = subprocess.Popen(["true"])
    dead.wait()
    return dead.pid


def test_the_second_of_two_is_told_who_the_first_one_is(session: TestSession, there: There) -> None:
    lock = locked(there, who="bob", host="bobs-laptop", doing="deploy")
    with pytest.raises(SpinstackError) as error:
        deploy.deploy(session)
    assert error.value.what == "locked by bob on bobs-laptop since 2025-11-03 04:05 UTC (deploy)"
    assert "invoke unlock" in error.value.remedy
    assert "upload" not in there.steps
    assert lock.exists()
    with pytest.raises(SpinstackError, match="locked by"):
        rollback.confirm(session, yes=True)
    take_over.unlock(session, yes=True)
    assert not lock.exists()


def test_a_lock_of_our_own_dead_process_is_taken_over(session: TestSession, there: There) -> None:
    locked(there, pid=dead_process(), doing="deploy")
    deploy.deploy(session)
    assert there.calls


def test_a_lock_of_our_own_living_process_is_respected(session: TestSession, there: There) -> None:
    lock = locked(there, pid=os.getpid(), doing="deploy")
    with pytest.raises(SpinstackError, match="locked by"):
        deploy.deploy(session)
    shutil.rmtree(lock)


@pytest.mark.parametrize(
    ("holder", "life"),
    [
        (Holder(), Life.ALIVE),
        (Holder(gone=True), Life.DEAD),
        (Holder(silent=-4000), Life.ALIVE),
        (Holder(silent=59), Life.ALIVE),
        (Holder(silent=60), Life.DOUBTFUL),
        (Holder(silent=3599), Life.DOUBTFUL),
        (Holder(silent=3600), Life.DEAD),
    ],
)
def test_a_lock_was_left_behind_when_its_holder_is_dead(holder: Holder, life: Life) -> None:
    assert holder.life is life


@pytest.mark.parametrize("seconds", [-4000, 0, 59])
def test_a_clock_that_is_fast_makes_nobody_dead(seconds: int, session: Any) -> None:
    assert remote_lock.is_alive(session, None, seconds)  # type: ignore[arg-type]
    assert not remote_lock.is_alive(session, None, 100_000)  # type: ignore[arg-type]


@pytest.mark.parametrize("output", ["mkdir: Read-only file system", "mkdir: Permission denied"])
def test_a_lock_that_cannot_be_written_is_no_lock_of_somebody(output: str) -> None:
    error = errors.not_locked(output, PurePosixPath("/project"))
    assert "could not be written" in error.what


def test_only_the_lock_that_was_looked_at_is_broken(session: TestSession, there: There) -> None:
    lock = locked(there, host="old-laptop", doing="deploy", nonce="12")

    def asked(question: str, *, yes: bool) -> None:
        (lock / "owner.json").write_text('{"who": "bob", "host": "x", "nonce": "34"}')

    session.confirm = asked  # type: ignore[method-assign]
    with pytest.raises(SpinstackError, match="locked by bob on x"):
        take_over.unlock(session, yes=False)
    assert lock.exists()
    (lock / "owner.json").unlink()
    lock.rmdir()


def test_the_question_before_a_lock_is_broken_tells_of_signs_of_life(
    session: TestSession, directory: Path, there: There
) -> None:
    asked: list[str] = []

    def ask(question: str, *, yes: bool) -> None:
        asked.append(question)
        raise SpinstackError("no")

    session.confirm = ask  # type: ignore[method-assign]
    there.has(web=running())
    hung = there.hang("upgrade")
    at(there, "bring up", lost)
    with pytest.raises(ConnectionLost):
        deploy.deploy(TestSession(directory, there))
    with pytest.raises(SpinstackError, match="no"):
        take_over.unlock(session, yes=False)
    hung.unlink()
    assert "That change is still running" in asked[0]


def test_the_lock_works_on_a_real_file_system(tmp_path: Path) -> None:
    root = PurePosixPath(tmp_path, 'it\'s a "stack"\n')
    alice, bob = (make_owner(who, "there", "deploy") for who in ("alice", "b'o\"b\n"))
    assert "end 0 0" in run_here([lock_steps.lock_step(root, bob)])
    second = run_here([lock_steps.lock_step(root, alice)])
    assert "end 0 1" in second
    assert parse_owner(second) == bob
    run_here([lock_steps.free_lock_step(root, alice)])
    assert parse_owner(run_here([lock_steps.read_lock_step(root)])) == bob
    assert "end 0 0" in run_here([lock_steps.still_ours_step(root, bob)])
    run_here([lock_steps.free_lock_step(root, bob)])
    assert "end 0 0" not in run_here([lock_steps.read_lock_step(root)])
    assert "end 0 0" in run_here([lock_steps.lock_step(root, alice)])
    assert "end 0 0" not in run_here([lock_steps.still_ours_step(root, bob)])
    assert [path.name for path in Path(root).iterdir()] == ["lock"]


ODD = st.lists(
    st.sampled_from(["'", '"', "\\", "\n", "\r", "$(touch made)", "`touch made`", "; touch made"])
    | st.sampled_from(["\x1b[2J", "\0", "\u202e", "%s", "|| true", "@@ end 0 0", "é", "-n", "*"]),
    max_size=4,
).map("".join)  # fmt: skip


@settings_of_hypothesis(max_examples=25, deadline=None)
@given(who=ODD, host=ODD, doing=ODD, name=ODD)
def test_whatever_people_are_called_the_lock_is_theirs(
    who: str, host: str, doing: str, name: str
) -> None:
    with tempfile.TemporaryDirectory() as place:
        root = PurePosixPath(place, f"a{name}".replace("\0", "").replace("/", ""))
        theirs = make_owner(who, host, doing)
        bob = make_owner("bob", "laptop", "deploy")
        assert "end 0 0" in run_here([lock_steps.lock_step(root, theirs)])
        assert parse_owner(run_here([lock_steps.lock_step(root, bob)])) == theirs
        handed = for_job(theirs, "20260102-030405-0")
        assert "end 0 0" in run_here([lock_steps.hand_over_step(root, handed)])
        run_here([lock_steps.break_lock_step(root, bob), lock_steps.free_lock_step(root, bob)])
        assert parse_owner(run_here([lock_steps.read_lock_step(root)])) == handed
        run_here([lock_steps.free_lock_step(root, handed)])
        assert list(Path(place).iterdir()) == [Path(root)]
        assert not list(Path(root).iterdir())
    assert not Path("made").exists()


@pytest.mark.real("root")
@pytest.mark.parametrize("name", ["stack", "stack/releases", "stack/changes"])
def test_a_link_that_somebody_else_made_is_not_followed(tmp_path: Path, name: str) -> None:
    home = tmp_path / "home"
    home.mkdir()
    link = tmp_path / name
    link.parent.mkdir(exist_ok=True)
    link.symlink_to(home)
    root = PurePosixPath(tmp_path / "stack")
    owner = make_owner("alice", "laptop", "deploy")
    assert "end 0 0" in run_here([lock_steps.lock_step(root, owner)])  # our own link may stay
    run_here([lock_steps.break_lock_step(root, owner)])
    os.lchown(link, 65534, 65534)
    output = run_here([lock_steps.lock_step(root, owner)])
    error = errors.not_locked(output, root)
    assert "a link in it belongs to somebody else" in error.what
    assert error.where == str(link)
    assert not list(home.iterdir())


def test_a_directory_that_everybody_may_write_to_is_not_used(tmp_path: Path) -> None:
    root = tmp_path / "a stack"
    root.mkdir()
    root.chmod(0o777)
    step = lock_steps.lock_step(PurePosixPath(root), make_owner("alice", "laptop", "deploy"))
    error = errors.not_locked(run_here([step]), PurePosixPath(root))
    assert "can be changed by everybody" in error.what
    subprocess.run(["bash", "-c", error.remedy], check=True)
    assert "end 0 0" in run_here([step])


@pytest.mark.real("root")
def test_notes_are_written_through_no_link(tmp_path: Path) -> None:
    mine = tmp_path / "bashrc"
    mine.write_text("kept")
    root = PurePosixPath(tmp_path)
    for name in ("unfinished.json", "unfinished.json.new", record.FILE):
        (tmp_path / name).symlink_to(mine)
        os.lchown(tmp_path / name, 65534, 65534)
    begun = make_owner("alice", "laptop", "deploy")
    assert "end 0 0" in run_here([notes.unfinished_step(root, begun)])
    assert parse_owner((tmp_path / "unfinished.json").read_text()) == begun
    line = record.Record(doing="scale")
    assert "a link of somebody else" in run_here([record.append_step(root, line)])
    assert mine.read_text() == "kept"
