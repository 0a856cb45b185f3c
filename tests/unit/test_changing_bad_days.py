"""A change that goes on by itself where nothing is as it should be: killed, disturbed, unusual.

The login node's side is real bash (see `there.py`).
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from spinstack.deploy import deploy, rollback, take_over
from spinstack.deploy import journal as deploy_journal
from spinstack.errors import SpinstackError, UsageError
from spinstack.remote import changes
from spinstack.remote import lock as remote_lock
from spinstack.transport.login_node import ConnectionLost
from tests.unit.test_changing import begun, content_of, locked, releases
from tests.unit.test_deploy import TestSession, directory, past, session, site, there
from tests.unit.there import PROFILE, There, running

__all__ = ["directory", "session", "site", "there"]


def at(there: There, step: str, do: Callable[[], None]) -> None:
    """Something happens once, when the step begins."""

    def happens(name: str) -> None:
        if name == step:
            there.happens = lambda name: None
            do()

    there.happens = happens


def lost() -> None:
    raise ConnectionLost("the connection was lost")


def pressed() -> None:
    raise KeyboardInterrupt


def change(there: There) -> Path:
    """The directory of the newest change."""
    return max((there.root / "changes").iterdir(), key=lambda path: path.stat().st_mtime)


def journal(there: There) -> str:
    return (change(there) / "journal").read_text()


def wait_for(there: There, word: str) -> None:
    deadline = time.monotonic() + 20
    while word not in journal(there):
        assert time.monotonic() < deadline, journal(there)
        time.sleep(0.02)


def kill(there: There) -> None:
    """As if the login node was restarted: all that the change consists of is gone."""
    script = str(change(there) / "script")
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_text().split("\0")
        except OSError:
            continue
        if script in words:
            os.killpg(os.getpgid(int(process.name)), signal.SIGKILL)
            return
    raise AssertionError("no change goes on there")


def age(path: Path, seconds: float) -> None:
    os.utime(path, (time.time() - seconds,) * 2)


@pytest.mark.parametrize("step", ["render", "upgrade", "confirm"])
@pytest.mark.parametrize("laptop", ["same", "other"])
def test_a_killed_change_is_finished_by_the_same_command(
    directory: Path, there: There, monkeypatch: pytest.MonkeyPatch, step: str, laptop: str
) -> None:
    there.has(web=running())
    hung = there.hang(step)
    at(there, {"upgrade": "bring up"}.get(step, step), lost)
    with pytest.raises(ConnectionLost):
        deploy.deploy(TestSession(directory, there))
    kill(there)
    hung.unlink()
    age(change(there) / "journal", 90)
    if laptop == "other":
        monkeypatch.setattr("socket.gethostname", lambda: "another-laptop")
        monkeypatch.setattr(remote_lock, "_alive", lambda pid: True)
    deploy.deploy(TestSession(directory, there))
    there.over()
    assert there.services["web"]["state"] == "active"
    assert ("deploy", "done") in past(there)
    assert not (there.root / "unfinished.json").exists()


def test_a_change_that_only_looks_dead_is_looked_on_at(
    directory: Path, there: There, capsys: pytest.CaptureFixture[str]
) -> None:
    """The clocks of two machines differ: the file's time says nothing."""
    hung = there.hang("upgrade")
    at(there, "bring up", lost)
    with pytest.raises(ConnectionLost):
        deploy.deploy(TestSession(directory, there))
    clock = there.home / "bin" / "date"
    clock.write_text("#!/bin/sh\necho $(($(/bin/date +%s) + 120))\n")
    clock.chmod(0o755)
    (there.home / ".bash_profile").write_text(f"{PROFILE}sleep() {{ command sleep 1; }}\n")
    at(there, "follow", hung.unlink)
    deploy.deploy(TestSession(directory, there))
    err = capsys.readouterr().err
    assert "it goes on" in err
    assert "looking on" in err
    assert past(there) == [("deploy", "done")]


def test_a_rollback_that_is_left_running_keeps_its_lock(session: TestSession, there: There) -> None:
    releases(there)
    hung = there.hang("upgrade")
    at(there, "bring up", pressed)
    with pytest.raises(SpinstackError, match="left running"):
        rollback.roll_back(session, to_release="", yes=True)
    assert (there.root / "lock" / "owner.json").exists()
    hung.unlink()
    there.over()
    assert past(there) == [("rollback", "done")]


def test_a_change_without_its_lock_takes_nothing_back(session: TestSession, there: There) -> None:
    """Somebody has broken it, and what is unfinished now may be theirs."""
    there.has(web=running())
    there.odd(new={"healthState": "unhealthy"})

    def bob() -> None:
        (there.root / "lock" / "owner.json").write_text('{"who": "bob", "nonce": "34"}')

    at(there, "wait until healthy", bob)
    with pytest.raises(SpinstackError, match="failed the health check") as error:
        deploy.deploy(session)
    assert "for whoever broke the lock to say" in error.value.now
    assert there.services["web"]["state"] == "upgraded"
    assert not [call for call in there.calls if "--rollback" in call]
    assert past(there) == [("deploy", "left open")]
    assert (there.root / "lock").exists(), "it is bob's"
    (there.root / "lock" / "owner.json").unlink()
    (there.root / "lock" / "job").unlink()
    (there.root / "lock").rmdir()


def test_only_the_lock_that_was_looked_at_is_broken(session: TestSession, there: There) -> None:
    lock = locked(there, host="old-laptop", doing="deploy", nonce="12")

    def asked(question: str, *, yes: bool) -> None:
        (lock / "owner.json").write_text('{"who": "bob", "host": "x", "nonce": "34"}')

    session.confirm = asked  # type: ignore[method-assign]
    with pytest.raises(SpinstackError, match="bob on x is at it"):
        take_over.unlock(session, yes=False)
    assert lock.exists()
    (lock / "owner.json").unlink()
    lock.rmdir()


def test_a_second_wish_to_stop_does_not_stop_the_taking_back(
    session: TestSession, there: There
) -> None:
    there.has(web=running())
    there.odd(new={"healthState": "unhealthy"})
    hung = there.hang("rollback")

    def stop() -> None:
        (change(there) / "stop").touch()
        hung.unlink()

    at(there, "roll back", stop)
    with pytest.raises(SpinstackError) as error:
        deploy.deploy(session)
    assert error.value.now == "the version before runs again"
    assert past(there) == [("deploy", "taken back")]


def test_it_is_too_late_to_stop_what_is_being_confirmed(session: TestSession, there: There) -> None:
    there.has(web=running())
    hung = there.hang("confirm")

    def stop() -> None:
        (change(there) / "stop").touch()
        hung.unlink()

    at(there, "confirm", stop)
    deploy.deploy(session)
    assert past(there) == [("deploy", "done")]
    assert there.services["web"]["state"] == "active"


@pytest.mark.parametrize("step", ["render", "bring up", "wait until healthy", "ask the site"])
def test_a_wish_to_stop_is_heard_at_each_step(
    session: TestSession, there: There, step: str
) -> None:
    there.has(web=running())
    if step == "wait until healthy":
        there.odd(new={"healthState": "initializing"})
    if step == "ask the site":
        (there.home / "site").write_text("500")
    hung = there.hang({"bring up": "upgrade"}.get(step, step))
    at(there, step, lambda: (change(there) / "stop").touch())
    with pytest.raises(SpinstackError, match=r"stopped by Ctrl-C") as error:
        deploy.deploy(session)
    hung.unlink()
    assert there.services["web"]["state"] == "active"
    begun = step != "render"
    assert error.value.now == (
        "the version before runs again" if begun else "nothing that runs was touched"
    )
    assert past(there) == [("deploy", "taken back" if begun else "failed")]


def test_what_runs_and_could_not_be_noted_is_told_so(session: TestSession, there: There) -> None:
    there.has(web=running())

    def full() -> None:
        program = there.home / "bin" / "ln"
        program.write_text("#!/bin/sh\necho 'No space left on device'; exit 1\n")
        program.chmod(0o755)

    at(there, "bring up", full)
    with pytest.raises(SpinstackError, match="could not be written") as error:
        deploy.deploy(session)
    assert error.value.now == "the new version runs, for good; only that it does is not noted"
    assert past(there) == [("deploy", "done")]


def test_a_slip_of_the_pen_is_asked_again(
    session: TestSession, there: There, monkeypatch: pytest.MonkeyPatch
) -> None:
    there.has(web=running())
    there.hang("upgrade")
    answers = ["bakc", "yes", "back"]
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr("builtins.input", lambda question: answers.pop(0))
    at(there, "bring up", pressed)
    with pytest.raises(SpinstackError, match="stopped by Ctrl-C"):
        deploy.deploy(session)
    assert not answers
    assert past(there) == [("deploy", "taken back")]


def test_a_command_that_fails_without_a_word_is_told_by_its_code(
    session: TestSession, there: There
) -> None:
    there.has(web=running())
    at(there, "bring up", lambda: there.odd(exit={"up": 120}))
    with pytest.raises(SpinstackError, match="did not bring up") as error:
        deploy.deploy(session)
    said = "exit code 120, no output"
    assert error.value.details == f"{said}\nand the rollback failed:\n{said}"


@pytest.mark.parametrize("seconds", [-4000, 0, 59])
def test_a_clock_that_is_fast_makes_nobody_dead(seconds: int, session: Any) -> None:
    assert remote_lock.is_alive(session, None, seconds)  # type: ignore[arg-type]
    assert not remote_lock.is_alive(session, None, 100_000)  # type: ignore[arg-type]


def test_an_upgrade_of_ours_from_another_laptop_goes_on(session: TestSession, there: There) -> None:
    begun(there, f"20251103-040506-{content_of(session)}", host="old-laptop")
    deploy.deploy(session)
    assert there.services["web"]["state"] == "active"


def test_a_rollback_that_was_cut_off_is_not_to_be_run_again(
    session: TestSession, there: There
) -> None:
    """It would go back two releases."""
    releases(there)
    at(there, "bring up", lost)
    with pytest.raises(ConnectionLost) as error:
        rollback.roll_back(session, to_release="", yes=True)
    assert error.value.now == "the rollback goes on there by itself"
    assert error.value.remedy == "`invoke journal` looks on; then see `invoke status`"
    there.over()
    assert past(there) == [("rollback", "done")]


def test_a_rancher_that_is_ill_for_a_moment_keeps_nobody_from_going_back(
    session: TestSession, there: There
) -> None:
    there.has(web=running())
    there.odd(upgrade='time="x" level=error msg="no answer"')

    def happens(name: str) -> None:
        if name == "bring up":
            there.odd(exit={"ps": 1})
        if name == "look again":
            wait_for(there, "round 1")
            there.odd(exit={})

    there.happens = happens
    with pytest.raises(SpinstackError, match="did not bring up") as error:
        deploy.deploy(session)
    assert error.value.now == "the version before runs again"


def test_one_service_that_does_not_go_back_keeps_no_other_from_it(
    session: TestSession, there: There
) -> None:
    there.has(web=running(), api=running(), zoo=running())
    there.odd(names=["api", "web", "zoo"], new={"healthState": "unhealthy"})
    program = there.home / "bin" / "rancher"
    text = program.read_text().replace(
        'answer("rollback")', 'answer("rollback"); words[-1] == "api" and sys.exit(1)'
    )
    program.write_text(text)
    with pytest.raises(SpinstackError) as error:
        deploy.deploy(session)
    assert error.value.now.startswith("the upgrade is unfinished")
    assert [one["state"] for _, one in sorted(there.services.items())] == [
        *("upgraded", "active", "active")
    ]


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
    assert "It has just given a sign of life" in asked[0]


def test_the_journal_of_a_dead_change_tells_where_it_died(
    session: TestSession,
    directory: Path,
    there: There,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hung = there.hang("upgrade")
    at(there, "bring up", lost)
    with pytest.raises(ConnectionLost):
        deploy.deploy(session)
    kill(there)
    hung.unlink()
    age(change(there) / "journal", 90)
    capsys.readouterr()
    monkeypatch.setattr(changes, "LISTEN_SECONDS", 1)
    with pytest.raises(SpinstackError, match="no sign of life") as error:
        deploy_journal.show(TestSession(directory, there), "", raw=False, as_json=False)
    assert "bring up                 no end" in capsys.readouterr().out
    assert "`invoke deploy` finishes a deploy" in error.value.remedy
    deploy.deploy(TestSession(directory, there))


@pytest.mark.parametrize("wanted", ["../releases/2", "'; touch x", "2025\n"])
def test_a_journal_is_sought_among_the_changes_alone(session: TestSession, wanted: str) -> None:
    with pytest.raises(UsageError, match="is no change"):
        deploy_journal.show(session, wanted, raw=False, as_json=False)
    assert not session.node.steps
