"""A change that goes on by itself where nothing is as it should be: stopped, disturbed, refused.

The login node's side is real bash (see `there.py`).
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from spinstack.deploy import deploy, outcome
from spinstack.errors import SpinstackError
from spinstack.remote import journal
from spinstack.remote.journal import Journal
from tests.unit import left_there
from tests.unit.left_there import at, change, wait_for
from tests.unit.test_deploy import ILL, TestSession, directory, past, session, site, there
from tests.unit.there import There, running

__all__ = ["directory", "session", "site", "there"]


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
    assert error.value.now == "the previous version is running again"
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
        "the previous version is running again" if begun else "nothing that is running was touched"
    )
    assert past(there) == [("deploy", "taken back" if begun else "failed")]


@pytest.mark.parametrize(("status", "soon"), [("404", True), ("403", True), ("429", False)])
def test_a_page_that_is_refused_is_not_asked_for_a_minute(
    session: TestSession, there: There, status: str, soon: bool
) -> None:
    there.has(web=running())
    (there.home / "site").write_text(status)
    with pytest.raises(SpinstackError, match=status):
        deploy.deploy(session)
    asked = [line for line in left_there.journal(there).split("\n") if line.startswith("asked ")]
    assert (len(asked) <= 5) == soon, asked
    assert past(there) == [("deploy", "taken back")]


def test_what_runs_and_could_not_be_noted_is_told_so(session: TestSession, there: There) -> None:
    there.has(web=running())

    def full() -> None:
        program = there.home / "bin" / "ln"
        program.write_text("#!/bin/sh\necho 'No space left on device'; exit 1\n")
        program.chmod(0o755)

    at(there, "bring up", full)
    with pytest.raises(SpinstackError, match="could not be written") as error:
        deploy.deploy(session)
    assert (
        error.value.now
        == "the new version is running and confirmed, but could not be recorded as current"
    )
    assert past(there) == [("deploy", "done")]


def test_a_command_that_fails_without_a_word_is_told_by_its_code(
    session: TestSession, there: There
) -> None:
    there.has(web=running())
    at(there, "bring up", lambda: there.odd(exit={"up": 120}))
    with pytest.raises(SpinstackError, match="did not bring up") as error:
        deploy.deploy(session)
    said = "exit code 120, no output"
    assert error.value.details == f"{said}\nand the rollback failed:\n{said}"


def test_a_rancher_that_is_ill_for_a_moment_keeps_nobody_from_going_back(
    session: TestSession, there: There
) -> None:
    there.has(web=running())
    there.odd(upgrade='time="x" level=error msg="no answer"')
    still = there.still()

    def happens(name: str) -> None:
        if name == "bring up":
            there.odd(exit={"ps": 1})
        if name == "look again":
            wait_for(there, "round 1")
            there.odd(exit={})
            still.unlink()

    there.happens = happens
    with pytest.raises(SpinstackError, match="did not bring up") as error:
        deploy.deploy(session)
    assert error.value.now == "the previous version is running again"


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


def test_what_is_said_of_the_version_before_was_seen(session: TestSession, there: There) -> None:
    """Rancher refused one service, which was stopped for that; only the other one was upgraded."""
    stuck = running(state="activating", transitioning="error", healthState="")
    there.has(api=stuck, web=running())
    there.odd(new=ILL)
    with pytest.raises(SpinstackError) as error:
        deploy.deploy(session)
    assert there.services["web"]["state"] == "active"
    assert error.value.now == (
        "the previous version is not healthy (now: api inactive, web healthy)"
    )


def test_a_variable_of_the_account_ends_no_step(session: TestSession, there: There) -> None:
    profile = there.home / ".bash_profile"
    profile.write_text(f"{profile.read_text()}export deadline=0\n")
    there.has(web=running())
    deploy.deploy(session)


def test_of_a_platform_that_does_not_answer_nothing_is_said_to_be_seen(
    session: TestSession,
) -> None:
    """The last look had no answer, the one before it had."""
    told = Journal("J")
    for line in (
        *("spinstack-J 1 begin bring up", "no", "spinstack-J 2 end 1"),
        *("spinstack-J 3 begin wait for the old ones", "row|demo/web|active|unhealthy|no|||"),
        *("round 0", "out of reach", "round 1", "spinstack-J 9 end 1"),
        f"spinstack-J 9 over {journal.BACK_NOT_WELL}",
    ):
        told.take(line)
    error = outcome.failure(told, session)
    assert error.now == "the previous version is not healthy (now: unknown: no answer)"


def test_where_nothing_ran_nothing_runs_again(session: TestSession, there: There) -> None:
    there.has(web=running(state="inactive", healthState=""))
    there.odd(upgrade='time="x" level=error msg="no"')
    with pytest.raises(SpinstackError) as error:
        deploy.deploy(session)
    assert error.value.now == "nothing was running before (now: web inactive)"


PULLING = {
    "state": "upgrading",
    "transitioning": "yes",
    "transitioningMessage": "Waiting for instances to start",
}


@pytest.mark.parametrize("first", [False, True])
def test_a_pull_that_hangs_is_shown_and_ended(
    directory: Path, there: There, capsys: pytest.CaptureFixture[str], first: bool
) -> None:
    """Rancher's client waits for the new containers itself, for as long as it takes."""
    there.has(**({} if first else {"web": running()}))
    there.hang("upgrade")

    def pulls(name: str) -> None:
        if name == "bring up":
            there.has(web=running(**PULLING))

    there.happens = pulls
    with pytest.raises(SpinstackError) as error:
        deploy.deploy(TestSession(directory, there, healthy_within=2))
    said = "web did not become healthy within 2 s: Waiting for instances to start"
    assert error.value.what == said
    shown = "start" if first else "upgrade"
    assert re.search(rf"{shown} .*\(Waiting for instances to start\)", capsys.readouterr().err)
    assert "web upgrading" in error.value.where
    now = "the containers were left in place" if first else "the previous version is running again"
    assert (error.value.now or "").startswith(now)


def test_a_rancher_that_begins_nothing_is_not_the_services_fault(
    directory: Path, there: There
) -> None:
    there.has(web=running())
    there.hang("upgrade")
    with pytest.raises(SpinstackError) as error:
        deploy.deploy(TestSession(directory, there, healthy_within=2))
    said = "Rancher did not bring up demo: rancher did not finish within 2 s"
    assert error.value.what == said
    assert error.value.now == "the previous version is running again"


@pytest.mark.parametrize("order", ["upgrade", "confirm"])
def test_a_page_in_rancher_s_place_is_no_success(
    session: TestSession, there: There, order: str
) -> None:
    """With exit code 0."""
    there.has(web=running())
    there.odd(**{order: "<html><body>maintenance</body></html>"})
    with pytest.raises(SpinstackError, match=r"Rancher did not (bring up|confirm) demo") as error:
        deploy.deploy(session)
    assert "maintenance" in error.value.details
    assert past(there) != [("deploy", "done")]


@pytest.mark.parametrize(
    ("render", "code", "said"),
    [
        ("", 124, "no answer from rancher for 60 s"),
        ('time="x" level=fatal msg="Bad response statusCode [401]."', 1, "the account's key"),
        ("<html>502 Bad Gateway</html>", 0, "unexpected output from rancher"),
        ('time="x" level=fatal msg="yaml: line 4"', 1, "can't use the stack's files"),
    ],
)
def test_a_render_that_fails_is_not_always_the_files_fault(
    session: TestSession, there: There, render: str, code: int, said: str
) -> None:
    there.odd(render=render, exit={"up": code})
    with pytest.raises(SpinstackError, match=said) as error:
        deploy.deploy(session)
    assert error.value.now == "nothing that is running was touched"
