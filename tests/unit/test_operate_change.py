"""Start, stop, restart, scale, remove: what is refused before anything is done, what is asked,
what is waited for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from spinstack.errors import SpinstackError, UsageError
from spinstack.tasks import operate
from tests.unit.operating import BOTH, ENDPOINT, STACK, Answers, Operator, rounds, service
from tests.unit.stack_session import run

STOPPED = service("app", "inactive", "") + service("web", "inactive", "")
LOGS: Answers = {"logs of app": ("app's last words\n", 0), "logs of web": ("", 0)}


def test_stop_waits_until_everything_is_stopped(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    half = service("app", "inactive", "") + service("web", "deactivating", "")
    watched = rounds(BOTH, half, STOPPED)
    session = Operator(tmp_path, {"states": (BOTH, 0), "stop": ("1st1\n", 0), "watch": watched})
    run(operate.stop, session, yes=True)
    assert session.steps == ["states", "stop", "watch", "history"]
    assert f"rancher stop --type stack {STACK}" in session.node.sent[1]
    assert "is stopped; `invoke start`" in capsys.readouterr().out


def test_stop_of_what_is_stopped_does_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    session = Operator(tmp_path, {"states": (STOPPED, 0)})
    run(operate.stop, session)
    assert session.steps == ["states"]
    assert "already stopped" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("task", "options"),
    [
        (operate.stop, {}),
        (operate.start, {}),
        (operate.restart, {"service": "app"}),
        (operate.scale, {"service": "app", "count": 2}),
    ],
)
@pytest.mark.parametrize("state", ["upgraded", "upgrading", "rolling-back"])
def test_in_the_middle_of_an_upgrade_nothing_is_touched(
    tmp_path: Path, task: Any, options: dict[str, Any], state: str
) -> None:
    states = service("app", state) + service("web")
    session = Operator(tmp_path, {"states": (states, 0)})
    with pytest.raises(SpinstackError) as error:
        run(task, session, yes=True, **options)
    assert "nothing was changed" in error.value.where
    assert ("`invoke confirm` or `invoke rollback`" in error.value.remedy) == (
        state != "rolling-back"
    )
    assert session.steps == ["states"]


def test_what_hangs_in_a_rollback_is_not_waited_for(tmp_path: Path) -> None:
    stuck = service("app", "rolling-back", transitioning="error", transitioningMessage="no port")
    session = Operator(tmp_path, {"states": (stuck, 0)})
    with pytest.raises(SpinstackError) as error:
        run(operate.stop, session, yes=True)
    assert "invoke rm" in error.value.remedy
    assert error.value.details == "no port"


def test_nobody_to_ask_is_a_no(tmp_path: Path) -> None:
    session = Operator(tmp_path, {"states": (BOTH, 0)})
    with pytest.raises(UsageError) as error:
        run(operate.rm, session)
    for word in ("app, web", "Lost: the containers", "Kept: releases", "at dev"):
        assert word in error.value.what
    assert session.steps == ["states"]


def test_stop_that_rancher_refuses_tells_its_words(tmp_path: Path) -> None:
    refusal = "error 1st1: Bad response statusCode [422]. Service web is not in valid state\n"
    session = Operator(tmp_path, {"states": (BOTH, 0), "stop": (refusal + "1st1\n", 0)})
    with pytest.raises(SpinstackError, match="was not stopped") as error:
        run(operate.stop, session, yes=True)
    assert "not in valid state" in error.value.details


def test_stop_that_takes_too_long_says_so(tmp_path: Path) -> None:
    answers: Answers = {"states": (BOTH, 0), "stop": ("", 0), "watch": rounds(BOTH), **LOGS}
    with pytest.raises(SpinstackError, match="did not stop") as error:
        run(operate.stop, Operator(tmp_path, answers), yes=True)
    assert "120 s" in error.value.remedy
    assert "app's last words" in error.value.details


def test_start_starts_what_is_stopped_and_waits_for_health(tmp_path: Path) -> None:
    states = service("app", "inactive", "") + service("web")
    starting = service("app", "active", "initializing") + service("web")
    watched = rounds(starting, BOTH)
    session = Operator(tmp_path, {"states": (states, 0), "start": ("1s1\n", 0), "watch": watched})
    run(operate.start, session)
    assert f"rancher start --type service {STACK}/app\n" in session.node.sent[1]


def test_start_of_a_service_that_stays_ill_shows_its_log(tmp_path: Path) -> None:
    ill = service("app", "active", "unhealthy")
    answers: Answers = {
        **LOGS,
        "states": (service("app", "inactive", ""), 0),
        "start": ("1s1\n", 0),
        "watch": rounds(*[ill] * 4),
    }
    with pytest.raises(SpinstackError, match="app failed") as error:
        run(operate.start, Operator(tmp_path, answers), service="app")
    assert "app's last words" in error.value.details


def test_start_of_what_hangs_does_not_say_that_it_runs(tmp_path: Path) -> None:
    hangs = service("app", "activating", "", transitioning="error", transitioningMessage="no image")
    with pytest.raises(SpinstackError, match="not healthy") as error:
        run(operate.start, Operator(tmp_path, {"states": (hangs, 0)}))
    assert error.value.details == "no image"


def test_restart_of_a_stack_names_its_services(tmp_path: Path) -> None:
    answers: Answers = {"states": (BOTH, 0), "restart": ("1s1\n1s2\n", 0), "watch": rounds(BOTH)}
    session = Operator(tmp_path, answers)
    run(operate.restart, session, yes=True)
    assert f"rancher restart --type service {STACK}/app {STACK}/web\n" in session.node.sent[1]


def test_restart_of_what_is_stopped_points_to_start(tmp_path: Path) -> None:
    session = Operator(tmp_path, {"states": (STOPPED, 0)})
    with pytest.raises(SpinstackError, match="is not running") as error:
        run(operate.restart, session, yes=True)
    assert error.value.remedy == "run `invoke start`"


def test_scale_waits_for_every_container(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one, two = service("web", **ENDPOINT), service("web", scale=2, currentScale=2, **ENDPOINT)
    half = service("web", "updating-active", "healthy", scale=2, transitioning="yes")
    answers: Answers = {"states": (one, 0), "scale": ("", 0), "watch": rounds(one, half, two)}
    session = Operator(tmp_path, answers)
    run(operate.scale, session, service="web", count=2, json=True)
    seen = capsys.readouterr()
    assert f"rancher scale {STACK}/web=2\n" in session.node.sent[1]
    assert json.loads(seen.out)["services"][0]["current"] == 2
    assert "can't be on one node" in seen.err


def test_scale_that_finds_no_node_says_how_to_take_it_back(tmp_path: Path) -> None:
    full = service(
        "web", "updating-active", transitioning="error", transitioningMessage="port conflict"
    )
    answers: Answers = {"states": (BOTH, 0), "scale": ("", 0), "watch": rounds(full), **LOGS}
    with pytest.raises(SpinstackError) as error:
        run(operate.scale, Operator(tmp_path, answers), service="web", count=2)
    assert "port conflict" in error.value.details
    assert "invoke scale --service web --count N" in error.value.remedy


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"count": 2}, "which service?"),
        ({"service": "app"}, "--count must be at least 1"),
        ({"service": "app", "count": -1}, "--count must be at least 1"),
    ],
)
def test_scale_says_what_it_lacks(tmp_path: Path, options: dict[str, Any], said: str) -> None:
    session = Operator(tmp_path, {})
    with pytest.raises(UsageError) as error:
        run(operate.scale, session, **options)
    assert error.value.what == said
    assert not session.steps


def test_rm_waits_until_the_stack_is_gone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    answers: Answers = {"states": (BOTH, 0), "remove": ("1st1\n", 0), "gone": ("", 0)}
    run(operate.rm, Operator(tmp_path, answers), yes=True)
    assert "is removed" in capsys.readouterr().out
    late = Operator(tmp_path / "late", {**answers, "gone": ("", 1)})
    with pytest.raises(SpinstackError, match="still being removed"):
        run(operate.rm, late, yes=True)


def test_rm_removes_a_stack_without_services_too(tmp_path: Path) -> None:
    answers: Answers = {
        **{"states": ("", 0), "stack": ('{"id":"1st1"}\n', 0)},
        **{"remove": ("1st1\n", 0), "gone": ("", 0)},
    }
    session = Operator(tmp_path, answers)
    run(operate.rm, session, yes=True)
    assert "remove" in session.steps


def test_rm_twice_is_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    nothing = (f"error {STACK}: Not found: {STACK}\n", 0)
    session = Operator(tmp_path, {"states": ("", 0), "stack": nothing})
    run(operate.rm, session, yes=True)
    assert "nothing to remove" in capsys.readouterr().out
    assert session.steps == ["states", "stack"]


def test_rm_waits_for_a_removal_that_was_begun(tmp_path: Path) -> None:
    going = service("app", "removing", "")
    session = Operator(tmp_path, {"states": (going, 0), "gone": ("", 0)})
    run(operate.rm, session, yes=True)
    assert session.steps == ["states", "gone", "history"]


def test_rm_of_a_service_leaves_the_others(tmp_path: Path) -> None:
    answers: Answers = {
        "states": [(BOTH, 0), (service("web"), 0)],
        **{"remove": ("1s1\n", 0), "watch": rounds(BOTH, service("web"))},
    }
    session = Operator(tmp_path, answers)
    run(operate.rm, session, service="app", yes=True)
    assert f"rancher rm --type service {STACK}/app\n" in session.node.sent[1]


@pytest.mark.parametrize(
    ("task", "options", "shown"),
    [
        (operate.start, {}, f"rancher start --type service {STACK}/app {STACK}/web"),
        (operate.stop, {"service": "app"}, f"rancher stop --type service {STACK}/app"),
        (operate.restart, {}, f"rancher restart --type service {STACK}/app {STACK}/web"),
        (operate.scale, {"service": "app", "count": 3}, f"rancher scale {STACK}/app=3"),
        (operate.rm, {}, f"rancher rm --type stack {STACK}"),
    ],
)
def test_a_dry_run_shows_the_order_and_asks_nobody(
    tmp_path: Path,
    task: Any,
    options: dict[str, Any],
    shown: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run(task, Operator(tmp_path, {}, dry=True), **options)
    assert shown in capsys.readouterr().out


@pytest.mark.parametrize(
    ("task", "options"),
    [
        (operate.stop, {}),
        (operate.start, {}),
        (operate.restart, {"service": "app"}),
        (operate.scale, {"service": "app", "count": 2}),
        (operate.rm, {}),
    ],
)
def test_while_a_change_goes_on_nothing_is_touched(
    tmp_path: Path, task: Any, options: dict[str, Any]
) -> None:
    owner = json.dumps({"who": "bob", "host": "his-laptop", "doing": "deploy", "job": "x"})
    found: Answers = {"states": (BOTH, 0), "lock owner": (owner, 0), "change under way": ("4", 0)}
    session = Operator(tmp_path, found)
    with pytest.raises(SpinstackError, match=r"locked by bob on his-laptop \(deploy\)") as error:
        run(task, session, yes=True, **options)
    assert "invoke journal" in error.value.remedy
    assert session.steps == ["states"]


def test_a_dead_change_keeps_nobody_from_stopping(tmp_path: Path) -> None:
    owner = json.dumps({"who": "bob", "host": "his-laptop", "doing": "deploy", "job": "x"})
    found: Answers = {
        "states": (STOPPED, 0),
        "lock owner": (owner, 0),
        "change under way": ("90", 0),
    }
    run(operate.stop, Operator(tmp_path, found), yes=True)


def test_rm_takes_no_failure_for_a_stack_without_services(tmp_path: Path) -> None:
    """The CLI exits 0 on failures, too."""
    told = 'time="x" level=fatal msg="Bad response from Rancher server: 500"\n'
    session = Operator(tmp_path, {"states": (told, 0), "stack": ('{"id":"1st1"}\n', 0)})
    with pytest.raises(SpinstackError, match="did not answer") as error:
        run(operate.rm, session, yes=True)
    assert "500" in error.value.details
    assert "remove" not in session.steps


def test_a_stuck_service_has_to_go_whatever_is_known_of_its_cause(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stuck = service(
        "app", "registering", transitioning="error",
        transitioningMessage="Allocation failed: port 60001:60001/tcp",
    )  # fmt: skip
    session = Operator(tmp_path, {"states": (stuck, 0)})
    with pytest.raises(SpinstackError) as error:
        run(operate.stop, session, yes=True)
    session.console.error(error.value)
    said = capsys.readouterr().err
    assert said.count("fix:") == 1
    assert "fix:   it is stuck: remove it with `invoke rm --to dev --service " in said
