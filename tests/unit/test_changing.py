"""Locks, unfinished upgrades, going back: what two people, or one bad connection, run into."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import time
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spinstack.deploy import deploy, diff, provenance, rollback, take_over
from spinstack.deploy import releases as deploy_releases
from spinstack.deploy.releases import Listed
from spinstack.errors import SpinstackError, UsageError
from spinstack.remote import errors, lock_steps, notes, upload
from spinstack.remote.notes import ReleaseNote
from spinstack.remote.owner import Owner, make_owner, parse_owner
from spinstack.transport.runner import LocalRunner
from spinstack.transport.script import Script, Step
from tests.unit.test_deploy import TestSession, directory, past, session, there
from tests.unit.there import There, running

__all__ = ["directory", "session", "there"]

HERE = socket.gethostname()


def mark(who: str = "alice", host: str = HERE, **more: object) -> str:
    return json.dumps({"who": who, "host": host, "when": "2025-11-03T04:05:06Z", **more}) + "\n"


def content_of(session: TestSession) -> str:
    return upload.make(session.stack, session.destination).content


def locked(there: There, **owner: Any) -> Path:
    """Somebody has the lock."""
    lock = there.root / "lock"
    lock.mkdir(parents=True)
    (lock / "owner.json").write_text(mark(**owner))
    return lock


def begun(there: There, name: str, **more: Any) -> None:
    """An upgrade to a release was begun and not ended."""
    (there.root / "releases" / name).mkdir(parents=True, exist_ok=True)
    (there.root / "unfinished.json").write_text(mark(**{"release": name, "nonce": "12", **more}))
    there.has(web=running(state="upgraded"))


def test_the_second_of_two_is_told_who_the_first_one_is(session: TestSession, there: There) -> None:
    lock = locked(there, who="bob", host="bobs-laptop", doing="deploy")
    with pytest.raises(SpinstackError) as error:
        deploy.deploy(session)
    assert error.value.what == "bob on bobs-laptop since 2025-11-03 04:05 UTC is at it: deploy"
    assert "invoke unlock" in error.value.remedy
    assert "upload" not in there.steps
    assert lock.exists()
    with pytest.raises(SpinstackError, match="is at it"):
        rollback.confirm(session, yes=True)
    take_over.unlock(session, yes=True)
    assert not lock.exists()


def dead_process() -> int:
    dead = subprocess.Popen(["true"])
    dead.wait()
    return dead.pid


def test_a_lock_of_our_own_dead_process_is_taken_over(session: TestSession, there: There) -> None:
    locked(there, pid=dead_process(), doing="deploy")
    deploy.deploy(session)
    assert there.calls


def test_a_lock_of_our_own_living_process_is_respected(session: TestSession, there: There) -> None:
    lock = locked(there, pid=os.getpid(), doing="deploy")
    with pytest.raises(SpinstackError, match="is at it"):
        deploy.deploy(session)
    shutil.rmtree(lock)


def test_a_change_without_a_sign_of_life_is_finished_by_its_owner(
    directory: Path, there: There
) -> None:
    """Its login node was restarted in the middle; we come from another laptop."""
    lock = locked(there, host="old-laptop", doing="deploy", job="20251103-040506-12")
    journal = there.root / "changes" / "20251103-040506-12" / "journal"
    journal.parent.mkdir(parents=True)
    journal.touch()
    os.utime(journal, (time.time() - 90,) * 2)
    (lock / "job").symlink_to("../changes/20251103-040506-12")
    with pytest.raises(SpinstackError, match="is at it"):
        deploy.deploy(TestSession(directory, there, user="bob"))
    deploy.deploy(TestSession(directory, there))
    assert there.services["web"]["state"] == "active"


@pytest.mark.parametrize("output", ["mkdir: Read-only file system", "mkdir: Permission denied"])
def test_a_lock_that_cannot_be_written_is_no_lock_of_somebody(output: str) -> None:
    error = errors.not_locked(output, PurePosixPath("/project"))
    assert "could not be written" in error.what


def test_somebody_who_is_quicker_is_noticed(
    session: TestSession, directory: Path, there: There
) -> None:
    """Between our look and our lock bob has deployed: what was planned is planned anew."""
    deploy.deploy(session)
    (directory / "web" / "nginx.conf").write_text("# new")

    def bob(name: str) -> None:
        if name == "lock":
            there.happens = lambda name: None
            (there.root / "unfinished.json").write_text(mark("bob", release="x", nonce="34"))
            there.has(web=running(state="upgraded"))

    there.happens = bob
    with pytest.raises(SpinstackError, match="left unfinished by bob"):
        deploy.deploy(TestSession(directory, there))
    assert not (there.root / "lock").exists()


def test_an_upgrade_of_ours_to_the_same_files_goes_on(session: TestSession, there: There) -> None:
    begun(there, f"20251103-040506-{content_of(session)}")
    deploy.deploy(session)
    assert "upload" not in there.steps
    assert there.services["web"]["state"] == "active"


@pytest.mark.parametrize("left", [{"who": "bob"}, {"release": "20251103-040506-00000000"}])
def test_an_upgrade_of_others_or_to_other_files_waits_for_a_person(
    session: TestSession, there: There, left: dict[str, str]
) -> None:
    begun(there, **{"name": f"20251103-040506-{content_of(session)}", **left})
    with pytest.raises(SpinstackError, match="left unfinished") as error:
        deploy.deploy(session)
    assert "since 2025-11-03 04:05 UTC" in error.value.what
    assert "invoke confirm" in error.value.remedy
    assert not there.calls
    assert not (there.root / "lock").exists()


def test_confirm_uses_the_files_that_the_upgrade_was_begun_with(
    session: TestSession, there: There
) -> None:
    begun(there, "20251103-040506-0badcafe", who="bob")
    rollback.confirm(session, yes=True)
    assert (there.root / "current").readlink() == Path("releases/20251103-040506-0badcafe")
    assert there.services["web"]["state"] == "active"


def releases(there: There) -> None:
    """Three releases; the second one never ran, the third one runs."""
    for name, ran in (
        ("01-000000-aaaaaaaa", True),
        ("02-000000-bbbbbbbb", False),
        ("03-000000-cccccccc", True),
    ):
        place = there.root / "releases" / f"202511{name}"
        place.mkdir(parents=True)
        if ran:
            (place / "confirmed").touch()
    (there.root / "current").symlink_to("releases/20251103-000000-cccccccc")
    there.has(web=running())


def test_a_rollback_without_an_open_upgrade_goes_to_the_release_before(
    session: TestSession, directory: Path, there: There
) -> None:
    releases(there)
    with pytest.raises(UsageError, match="can't go back") as error:
        rollback.roll_back(session, to_release="20251102-000000-bbbbbbbb", yes=True)
    assert "20251101-000000-aaaaaaaa" in error.value.remedy
    rollback.roll_back(TestSession(directory, there), to_release="", yes=True)
    assert "--upgrade" in there.calls[1]
    now = (there.root / "current").readlink().name
    assert now == "20251101-000000-aaaaaaaa", "the failed one is passed over"
    assert not (there.root / "lock").exists()
    assert past(there) == [("rollback", "done")]


def test_an_open_upgrade_is_taken_back(session: TestSession, there: There) -> None:
    begun(there, "20251103-040506-0badcafe")
    rollback.roll_back(session, to_release="", yes=True)
    assert there.services["web"]["state"] == "active"
    assert not (there.root / "unfinished.json").exists()
    assert past(there) == [("rollback", "done")]


def test_pruning_leaves_what_runs_and_what_can_be_gone_back_to() -> None:
    def entry(number: int, state: str) -> Listed:
        return Listed(ReleaseNote(f"2025110{number}-000000-00000000"), state)

    found = [
        *(entry(1, "confirmed"), entry(2, "failed"), entry(3, "confirmed"), entry(4, "current")),
        *(entry(5, "failed"), entry(6, "unfinished")),
    ]
    old = [name[7] for name in deploy_releases.superfluous(found, keep=1)]
    assert old == ["1", "2", "5"]


def test_a_difference_is_told_service_by_service(
    session: TestSession, directory: Path, there: There
) -> None:
    name = f"20251101-000000-{content_of(session)}"
    (there.root / "releases" / name).mkdir(parents=True)
    (there.root / "current").symlink_to(f"releases/{name}")
    config = {
        "imageUuid": "docker:registry.spin.nersc.gov/alice/nginx-demo:0.9",
        "ports": ["60037:8080/tcp"],
        "capDrop": ["ALL"],
        "user": f"{os.getuid()}:58102",
        "dataVolumes": [f"{there.root}/releases/{name}/web/nginx.conf:/etc/nginx/nginx.conf:ro"],
    }
    there.has(web=running(launchConfig=config))
    (change,) = diff.changes(session)
    assert (change.what, change.running[-3:], change.wanted[-3:]) == ("image", "0.9", "1.0")

    (directory / "web" / "nginx.conf").write_text("server { listen 8080; } # changed")
    changed = diff.changes(TestSession(directory, there))
    assert [found.what for found in changed] == ["image", "files mounted from the release"]


def test_values_of_variables_are_compared_and_not_told() -> None:
    written = {"env_file": "./stack.env", "environment": ["B=2", "FROM_OUTSIDE"]}
    assert diff.environment(written, {"A": "1", "B": "0"}) == {"A": "1", "B": "2"}
    assert diff.environment({"environment": {"B": 2, "C": None}}, {"A": "1"}) == {
        "B": "2",
        "C": "",
    }
    assert diff.shown_words("sh -c 'a b'") == diff.shown_words(["sh", "-c", "a b"])


def run_here(steps: list[Step]) -> str:
    """The steps through a real shell."""
    done = subprocess.run(
        ["bash"], input=Script(tuple(steps)).text("@@"), capture_output=True, text=True
    )
    return done.stdout


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


@given(st.text(), st.text(), st.text())
def test_a_mark_is_read_as_it_was_written(who: str, host: str, doing: str) -> None:
    made = make_owner(who, host, doing)
    assert parse_owner("noise\n" + made.text() + "\n") == made


@given(st.text())
def test_garbage_is_no_mark(text: str) -> None:
    assert parse_owner(text) is None or isinstance(parse_owner(text), Owner)
    notes.parse_releases(text)


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
