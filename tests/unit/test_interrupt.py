"""Ctrl-C while a change is followed.

The login node's side is real bash (see `there.py`).
"""

from __future__ import annotations

import time

import pytest

from spinstack.deploy import deploy, rollback
from spinstack.errors import SpinstackError
from spinstack.remote.errors import NotWritten
from tests.unit.left_there import at, pressed, releases
from tests.unit.test_deploy import TestSession, directory, past, session, site, there
from tests.unit.there import There, running

__all__ = ["directory", "session", "site", "there"]


@pytest.mark.parametrize(("answer", "ends"), [("leave", "done"), ("back", "taken back")])
def test_ctrl_c_asks_whether_it_goes_on(
    session: TestSession, there: There, monkeypatch: pytest.MonkeyPatch, answer: str, ends: str
) -> None:
    there.has(web=running())
    hung = there.hang("upgrade")

    def asked(question: str) -> str:
        assert "Leave it running, or roll it back?" in question
        if answer == "leave":
            hung.unlink()
        return answer

    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr("builtins.input", asked)
    at(there, "bring up", pressed)
    with pytest.raises(SpinstackError) as error:
        deploy.deploy(session)
    there.over()
    assert past(there) == [("deploy", ends)]
    assert there.services["web"]["state"] == "active"
    if answer == "back":
        assert error.value.what == "stopped by Ctrl-C"
        assert error.value.now == "the previous version is running again"
    else:
        assert error.value.what == "left running on the login node"


def test_ctrl_c_before_the_change_has_begun_leaves_no_lock(
    session: TestSession, there: There
) -> None:
    at(there, "upload", pressed)
    with pytest.raises(SpinstackError, match=r"stopped by Ctrl-C") as error:
        deploy.deploy(session)
    assert error.value.now == "nothing that is running was touched"
    assert not (there.root / "lock").exists()
    assert not there.calls


def test_nothing_is_made_final_while_somebody_is_asked(
    session: TestSession, there: There, monkeypatch: pytest.MonkeyPatch
) -> None:
    there.has(web=running())
    hung = there.hang("upgrade")
    there.still()  # it waits for two minutes, and those are short here

    def asked(question: str) -> str:
        hung.unlink()
        (journal,) = (there.root / "changes").glob("*/journal")
        deadline = time.monotonic() + 20
        while "wait for a word" not in journal.read_text():
            assert time.monotonic() < deadline, "it went on while somebody was asked"
            time.sleep(0.02)
        return "back"

    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr("builtins.input", asked)
    at(there, "bring up", pressed)
    with pytest.raises(SpinstackError, match=r"stopped by Ctrl-C"):
        deploy.deploy(session)
    assert past(there) == [("deploy", "taken back")]


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


def test_ctrl_c_again_leaves_the_taking_back_to_itself(
    session: TestSession, there: There, monkeypatch: pytest.MonkeyPatch
) -> None:
    there.has(web=running())
    there.hang("upgrade")

    def asked(question: str) -> str:
        at(there, "look again", pressed)
        return "back"

    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr("builtins.input", asked)
    at(there, "bring up", pressed)
    with pytest.raises(SpinstackError, match="left running") as error:
        deploy.deploy(session)
    assert error.value.now == "it is being rolled back"
    there.over()
    assert past(there) == [("deploy", "taken back")]


def test_a_change_that_could_not_be_told_to_stop_goes_on(
    session: TestSession, there: There, monkeypatch: pytest.MonkeyPatch
) -> None:
    there.has(web=running())
    hung = there.hang("upgrade")

    def asked(question: str) -> str:
        program = there.home / "bin" / "touch"
        program.write_text("#!/bin/sh\necho 'No space left on device'; exit 1\n")
        program.chmod(0o755)
        return "back"

    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr("builtins.input", asked)
    at(there, "bring up", pressed)
    with pytest.raises(NotWritten, match="the request to stop") as error:
        deploy.deploy(session)
    assert error.value.now == "the deploy could not be told to stop, and continues"
    hung.unlink()
