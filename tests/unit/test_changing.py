"""Locks, unfinished upgrades, going back: what two people, or one bad connection, run into."""

from __future__ import annotations

import json
import os
import socket
import subprocess
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spinstack import bookkeeping, deploy, difference, history, probe, release
from spinstack.bookkeeping import Mark, ReleaseNote
from spinstack.errors import SpinstackError, UsageError
from spinstack.history import Listed
from spinstack.probe import Answer
from spinstack.script import Script, Step
from tests.unit.test_deploy import COMPOSE, FOUND, IMAGE, TestSession, ps

HERE = socket.gethostname()


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "docker-compose.yml").write_text(COMPOSE.replace("${WEB_IMAGE}", IMAGE))
    (tmp_path / "stack.env").write_text("")
    (tmp_path / "web").mkdir()
    (tmp_path / "web" / "nginx.conf").write_text("")
    monkeypatch.setattr(probe, "until_ok", lambda url, **_: Answer(200, "OK"))
    return tmp_path


def mark(who: str = "alice", host: str = HERE, **more: object) -> str:
    return json.dumps({"who": who, "host": host, "when": "2025-11-03T04:05:06Z", **more}) + "\n"


def content_of(directory: Path) -> str:
    session = TestSession(directory, {})
    return release.make(session.stack, session.destination).content


def test_the_second_of_two_is_told_who_the_first_one_is(directory: Path) -> None:
    locked = "mv: cannot move: Directory not empty\ntaken\n"
    owner = mark("bob", "bobs-laptop", doing="deploy")
    session = TestSession(directory, {**FOUND, "lock": (locked + owner, 1)})
    with pytest.raises(SpinstackError) as error:
        deploy.deploy(session)
    assert error.value.what == "bob on bobs-laptop since 2025-11-03 04:05 UTC is at it: deploy"
    assert "invoke unlock" in error.value.remedy
    assert "upload" not in session.node.steps


def test_a_lock_of_our_own_dead_process_is_taken_over(directory: Path) -> None:
    dead = subprocess.Popen(["true"])
    dead.wait()
    owner = mark(pid=dead.pid, doing="deploy")
    answers = {**FOUND, "lock": [("taken\n" + owner, 1), ("", 0)], "break the lock": ("", 0)}
    session = TestSession(directory, answers)
    deploy.deploy(session)
    assert "break the lock" in session.node.steps


def test_a_lock_of_our_own_living_process_is_respected(directory: Path) -> None:
    owner = mark(pid=os.getpid(), doing="deploy")
    session = TestSession(directory, {**FOUND, "lock": ("taken\n" + owner, 1)})
    with pytest.raises(SpinstackError, match="is at it"):
        deploy.deploy(session)


@pytest.mark.parametrize("output", ["mkdir: Read-only file system", "mkdir: Permission denied"])
def test_a_lock_that_cannot_be_written_is_no_lock_of_somebody(directory: Path, output: str) -> None:
    session = TestSession(directory, {**FOUND, "lock": (output, 1)})
    with pytest.raises(SpinstackError, match="could not be written"):
        deploy.deploy(session)


def test_an_upgrade_of_ours_to_the_same_files_goes_on(directory: Path) -> None:
    name = f"20251103-040506-{content_of(directory)}"
    answers = {
        **FOUND,
        "states": (ps("upgraded"), 0),
        "unfinished": (mark(release=name), 0),
    }
    session = TestSession(directory, answers)
    deploy.deploy(session)
    assert "upload" not in session.node.steps
    assert "confirm" in session.node.steps


@pytest.mark.parametrize("left", [{"who": "bob"}, {"release": "20251103-040506-00000000"}])
def test_an_upgrade_of_others_or_to_other_files_waits_for_a_person(
    directory: Path, left: dict[str, str]
) -> None:
    name = f"20251103-040506-{content_of(directory)}"
    unfinished = mark(**{"release": name, **left})  # type: ignore[arg-type]
    answers = {**FOUND, "states": (ps("upgraded"), 0), "unfinished": (unfinished, 0)}
    session = TestSession(directory, answers)
    with pytest.raises(SpinstackError, match="left unfinished") as error:
        deploy.deploy(session)
    assert "since 2025-11-03 04:05 UTC" in error.value.what
    assert "invoke confirm" in error.value.remedy
    assert "upgrade" not in session.node.steps
    assert session.node.steps[-1] == "unlock"


def test_confirm_uses_the_files_that_the_upgrade_was_begun_with(directory: Path) -> None:
    answers = {
        **FOUND,
        "states": (ps("upgraded"), 0),
        "unfinished": (mark("bob", release="20251103-040506-0badcafe"), 0),
    }
    session = TestSession(directory, answers)
    history.confirm(session, yes=True)
    sent = next(text for text in session.node.sent if "--confirm-upgrade" in text)
    assert "releases/20251103-040506-0badcafe" in sent


RELEASES = (
    "release 20251101-000000-aaaaaaaa yes\n"
    '{"id": "20251101-000000-aaaaaaaa", "who": "bob", "host": "x", "commit": "abc"}\n'
    "release 20251102-000000-bbbbbbbb no\n"
    "release 20251103-000000-cccccccc yes\n"
    "release something-else yes\n"
)


def test_a_rollback_without_an_open_upgrade_goes_to_the_release_before(directory: Path) -> None:
    answers = {
        **FOUND,
        "states": (ps(), 0),
        "current release": ("releases/20251103-000000-cccccccc\n", 0),
        "releases": (RELEASES, 0),
    }
    session = TestSession(directory, answers)
    history.roll_back(session, to_release="", yes=True)
    sent = next(text for text in session.node.sent if "--upgrade" in text)
    assert "releases/20251101-000000-aaaaaaaa" in sent, "the failed one is passed over"
    with pytest.raises(UsageError, match="can't go back") as error:
        history.roll_back(
            TestSession(directory, answers), to_release="20251102-000000-bbbbbbbb", yes=True
        )
    assert "20251101-000000-aaaaaaaa" in error.value.remedy


def test_pruning_leaves_what_runs_and_what_can_be_gone_back_to() -> None:
    def entry(number: int, state: str) -> Listed:
        return Listed(ReleaseNote(f"2025110{number}-000000-00000000"), state)

    found = [
        *(entry(1, "confirmed"), entry(2, "failed"), entry(3, "confirmed"), entry(4, "current")),
        *(entry(5, "failed"), entry(6, "unfinished")),
    ]
    old = [name[7] for name in history.superfluous(found, keep=1)]
    assert old == ["1", "2", "5"]


def test_a_difference_is_told_service_by_service(directory: Path) -> None:
    name = f"20251101-000000-{content_of(directory)}"
    config = {
        "imageUuid": "docker:registry.spin.nersc.gov/alice/nginx-demo:0.9",
        "ports": ["60037:8080/tcp"],
        "capDrop": ["ALL"],
        "user": "41037:58102",
        "dataVolumes": [
            f"/global/cfs/cdirs/desi/demo/demo/releases/{name}/web/nginx.conf"
            ":/etc/nginx/nginx.conf:ro"
        ],
    }
    answers = {
        **FOUND,
        "states": (ps(), 0),
        "inspect web": (json.dumps({"launchConfig": config}) + "\n", 0),
        "current release": (f"releases/{name}\n", 0),
    }
    (change,) = difference.changes(TestSession(directory, answers))
    assert (change.what, change.running[-3:], change.wanted[-3:]) == ("image", "0.9", "1.0")

    (directory / "web" / "nginx.conf").write_text("server { listen 8080; } # changed")
    changed = difference.changes(TestSession(directory, answers))
    assert [found.what for found in changed] == ["image", "files mounted from the release"]


def test_values_of_variables_are_compared_and_not_told() -> None:
    written = {"env_file": "./stack.env", "environment": ["B=2", "FROM_OUTSIDE"]}
    assert difference.environment(written, {"A": "1", "B": "0"}) == {"A": "1", "B": "2"}
    assert difference.environment({"environment": {"B": 2, "C": None}}, {"A": "1"}) == {
        "B": "2",
        "C": "",
    }
    assert difference.shown_words("sh -c 'a b'") == difference.shown_words(["sh", "-c", "a b"])


def run_here(steps: list[Step]) -> str:
    """The steps through a real shell."""
    done = subprocess.run(
        ["bash"], input=Script(tuple(steps)).text("@@"), capture_output=True, text=True
    )
    return done.stdout


def test_the_lock_works_on_a_real_file_system(tmp_path: Path) -> None:
    root = PurePosixPath(tmp_path, 'it\'s a "stack"\n')
    alice, bob = (bookkeeping.mark(who, "there", "deploy") for who in ("alice", "b'o\"b\n"))
    assert "end 0 0" in run_here([bookkeeping.lock_step(root, bob)])
    second = run_here([bookkeeping.lock_step(root, alice)])
    assert "end 0 1" in second
    assert bookkeeping.parse_mark(second) == bob
    run_here([bookkeeping.free_lock_step(root, alice)])
    assert bookkeeping.parse_mark(run_here([bookkeeping.read_lock_step(root)])) == bob
    assert "end 0 0" in run_here([bookkeeping.still_ours_step(root, bob)])
    run_here([bookkeeping.free_lock_step(root, bob)])
    assert "end 0 0" not in run_here([bookkeeping.read_lock_step(root)])
    assert "end 0 0" in run_here([bookkeeping.lock_step(root, alice)])
    assert "end 0 0" not in run_here([bookkeeping.still_ours_step(root, bob)])
    assert [path.name for path in Path(root).iterdir()] == ["lock"]


def test_releases_are_listed_from_a_real_directory(tmp_path: Path) -> None:
    root = PurePosixPath(tmp_path)
    note = ReleaseNote("20251101-000000-aaaaaaaa", "alice", "x", dirty=True, images={"A": "b"})
    directory = tmp_path / "releases" / note.id
    directory.mkdir(parents=True)
    run_here([bookkeeping.note_release_step(PurePosixPath(directory), note)])
    assert (
        bookkeeping.parse_releases(run_here([bookkeeping.read_releases_step(root)]))[0][1] is False
    )
    run_here([bookkeeping.current_step(root, note.id)])
    output = run_here([bookkeeping.read_releases_step(root), bookkeeping.read_current_step(root)])
    assert (note, True) in bookkeeping.parse_releases(output)
    assert f"releases/{note.id}\n" in output


@given(st.text(), st.text(), st.text())
def test_a_mark_is_read_as_it_was_written(who: str, host: str, doing: str) -> None:
    made = bookkeeping.mark(who, host, doing)
    assert bookkeeping.parse_mark("noise\n" + made.text() + "\n") == made


@given(st.text())
def test_garbage_is_no_mark(text: str) -> None:
    assert bookkeeping.parse_mark(text) is None or isinstance(bookkeeping.parse_mark(text), Mark)
    bookkeeping.parse_releases(text)
