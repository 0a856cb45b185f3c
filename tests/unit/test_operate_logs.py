"""Logs: what is asked for, in which order lines come, and what a person sees of them."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spinstack.console import known_errors
from spinstack.errors import SpinstackError, UsageError
from spinstack.operate import logs
from spinstack.platforms.rancher1 import logs as rancher_logs
from spinstack.tasks import status
from spinstack.transport.script import ScriptResult
from tests.unit.operating import BOTH, STACK, Operator, service
from tests.unit.stack_session import run

APP = "2026-11-22T16:00:01.5Z app one\n2026-11-22T16:00:03.5Z app two\n"
WEB = "2026-11-22T16:00:02.25Z web one\n"
NO_LOGS = {f"logs of {name}": ("no such service", 1) for name in ("app", "web")}


@given(st.integers(0, 99), st.integers(0, 99), st.integers(0, 99), st.integers(1, 99))
def test_time_spans_become_seconds(days: int, hours: int, minutes: int, seconds: int) -> None:
    total = 86400 * days + 3600 * hours + 60 * minutes + seconds
    assert logs.moment(f"{days}d{hours}h{minutes}m{seconds}s") == f"{total}s"


@pytest.mark.parametrize("text", ["2026-01-31T04:05:06Z", "2026-01-31T04:05:06-08:00", ""])
def test_moments_stay(text: str) -> None:
    assert logs.moment(text) == text


@pytest.mark.parametrize("text", ["10", "m", "10 m", "1y", "2026-01-31", "yesterday", "10m x"])
def test_other_times_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is not a time"):
        logs.moment(text)


@pytest.mark.parametrize(
    ("tail", "since", "lines"),
    [("", "", 100), ("", "10m", -1), ("all", "", -1), ("0", "", 0), ("7", "10m", 7)],
)
def test_how_many_lines(tail: str, since: str, lines: int) -> None:
    assert logs.lines_wanted(tail, since) == lines


@pytest.mark.parametrize("tail", ["-1", "many", "1.5"])
def test_no_number_of_lines(tail: str) -> None:
    with pytest.raises(UsageError):
        logs.lines_wanted(tail, "")


def test_all_services_in_the_order_of_time_from_one_script(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    answers = {"states": (BOTH, 0), "logs of app": (APP, 0), "logs of web": (WEB, 0)}
    session = Operator(tmp_path, {**answers})
    run(status.logs, session, since="1h")
    assert capsys.readouterr().out == "app | app one\nweb | web one\napp | app two\n"
    (script,) = session.node.sent
    assert f"rancher logs --timestamps --tail=-1 --since=3600s {STACK}/app" in script


def test_what_runs_counts_not_what_the_compose_file_has(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A service of it that does not run is left out; one that it has no longer is asked, too."""
    found = {**NO_LOGS, "logs of app": (APP, 0), "logs of old": (WEB, 0)}
    session = Operator(tmp_path, {"states": (service("app") + service("old"), 0), **found})
    run(status.logs, session)
    assert capsys.readouterr().out == "app | app one\nold | web one\napp | app two\n"


def test_one_service_has_no_name_in_front(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    session = Operator(tmp_path, {"states": (BOTH, 0), "logs of app": (APP, 0)})
    run(status.logs, session, service="app", tail="1")
    assert capsys.readouterr().out == "app two\n"


def test_several_containers_of_a_service_are_told_apart(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = f"{STACK}-app-1 | 2026-11-22T16:00:01Z one\n"
    second = f"{STACK}-app-2 | 2026-11-22T16:00:00Z zero\n"
    session = Operator(tmp_path, {"states": (BOTH, 0), "logs of app": (first + second, 0)})
    run(status.logs, session, service="app", json=True)
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert told[0] == {"service": "app", "container": "app-2", "text": "zero"}
    assert told[1]["container"] == "app-1"


def test_a_line_without_a_time_stays_where_it_was() -> None:
    lines = rancher_logs.parse(
        "2026-11-22T16:00:01Z a\nno time\n\n2026-11-22T16:00:02Z b", STACK, "app"
    )
    assert [(line.time[-2:], line.text) for line in lines] == [
        *(("01", "a"), ("01", "no time"), ("01", "")),
        ("02", "b"),
    ]


def test_following_shows_both_services_and_nothing_twice(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = [f"app\t{APP.splitlines()[0]}", f"web\t{WEB.strip()}", f"app\t{APP.splitlines()[0]}"]
    lines += [f"app\t{APP.splitlines()[1]}", "a line of nobody"]
    session = Operator(tmp_path, {"states": (BOTH, 0), "follow": ("\n".join(lines), 0)})
    run(status.logs, session, follow=True)
    assert capsys.readouterr().out == "app | app one\nweb | web one\napp | app two\n"


def test_ctrl_c_ends_following_without_a_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(logs, "follow_lines", interrupted)
    run(status.logs, Operator(tmp_path, {"states": (BOTH, 0)}), follow=True)


def test_nothing_that_runs_has_no_log(tmp_path: Path) -> None:
    with pytest.raises(SpinstackError, match="is not running"):
        run(status.logs, Operator(tmp_path, {"states": ("", 0), **NO_LOGS}))


def test_a_stopped_service_has_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    states = service("app", "inactive") + service("web")
    session = Operator(tmp_path, {"states": (states, 0), "logs of app": (APP, 0)})
    run(status.logs, session, service="app")
    assert "app two" in capsys.readouterr().out


def test_known_errors_are_read_while_the_other_end_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = threading.Event()
    session = Operator(tmp_path, {**NO_LOGS, "states": (BOTH, 0), "logs of app": (APP, 0)})
    ask = session.node.run

    def answer(*words: Any, **more: Any) -> ScriptResult:
        assert begun.wait(10)
        return ask(*words, **more)

    monkeypatch.setattr(known_errors, "load", begun.set)
    monkeypatch.setattr(session.node, "run", answer)
    run(status.logs, session, service="app")
