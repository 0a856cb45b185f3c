"""Looking at what runs: what a person and a script are told, also when there is little to tell."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from pathlib import Path

import pytest

from spinstack.errors import SpinstackError, UsageError
from spinstack.operate import status
from spinstack.tasks import status as tasks_status
from tests.unit.operating import BOTH, STACK, Answers, Operator, container, service
from tests.unit.stack_session import run

NOTE = {
    "id": "20261122-165337-4c3c68be",
    "who": "alice",
    "host": "laptop",
    "when": "2026-11-22T16:53:37Z",
    "commit": "0123456789abcdef",
    "dirty": True,
}
CONTAINERS = container("1i1", "app-1", created="2026-11-22T16:00:00Z", startCount=3)
CONTAINERS += container("1i2", "web-1", created="2026-11-22T16:50:00Z")
FOUND: Answers = {
    "states": (BOTH, 0),
    "containers": (f"{CONTAINERS}@spinstack stats app 0\n2 workers, 0 busy\n", 0),
    "release": ("releases/20261122-165337-4c3c68be\n", 0),
    "note": (json.dumps(NOTE, indent=1), 0),
    "unfinished": ("", 1),
    "stats": ("", 0),
}


def test_status_tells_what_runs_since_when_and_who_deployed_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(tasks_status.status, Operator(tmp_path, FOUND))
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == status.HEADINGS
    app = lines[1].split()
    assert app[:2] == ["app", "healthy"]
    assert lines[1].endswith("restarted 2 times")
    assert lines[3] == "app: 2 workers, 0 busy"
    assert "by alice on laptop" in lines[4]
    assert "commit 0123456789 with changes" in lines[4]
    assert lines[5] == "address: http://web.example.org:60037/"


def test_status_without_a_written_down_release_tells_the_rest(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    answers: Answers = {**FOUND, "release": ("", 1), "note": ("no JSON", 0), "containers": ("", 1)}
    run(tasks_status.status, Operator(tmp_path, answers))
    assert "release: no release confirmed yet\n" in capsys.readouterr().out


def test_status_for_a_script(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(tasks_status.status, Operator(tmp_path, FOUND), json=True)
    told = json.loads(capsys.readouterr().out)
    assert told["deployed"] == NOTE
    assert told["url"] == "http://web.example.org:60037/"
    assert [one["shown"] for one in told["services"]] == ["healthy", "healthy"]
    assert told["services"][0]["since"] == "2026-11-22T16:00:00Z"


def test_status_says_who_left_an_upgrade(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    left = json.dumps({"who": "bob", "host": "desk", "when": "2026-11-20T08:00:00Z"})
    states = service("app", "upgraded") + service("web")
    run(
        tasks_status.status,
        Operator(tmp_path, {**FOUND, "states": (states, 0), "unfinished": (left, 0)}),
    )
    warned = " ".join(capsys.readouterr().err.split())
    assert (
        "the upgrade of app is waiting for `invoke confirm --to dev` or `invoke rollback --to dev`"
        in warned
    )
    assert "by bob on desk" in warned


@pytest.mark.parametrize(
    ("states", "said"),
    [
        (("", 0), "is not running at dev"),
        (("<html>maintenance</html>\n", 0), "unexpected output"),
        (
            ('time="x" level=fatal msg="RANCHER_URL environment or --url is not set"\n', 1),
            "no Rancher key",
        ),
        (("", 124), "within 60 s"),
    ],
)
def test_status_of_nothing_is_a_failure_that_says_why(
    tmp_path: Path, states: tuple[str, int], said: str
) -> None:
    with pytest.raises(SpinstackError) as error:
        run(tasks_status.status, Operator(tmp_path, {**FOUND, "states": states}))
    assert said in error.value.what
    assert error.value.remedy


def watched(*rounds: tuple[str, int]) -> str:
    return "".join(
        f"@spinstack states\n{states}\n@spinstack containers\n{CONTAINERS}\n"
        f"@spinstack release\nreleases/20261122-165337-4c3c68be\n@spinstack end {code}\n"
        for states, code in rounds
    )


def test_watching_shows_each_round_and_goes_on_after_a_bad_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = watched((BOTH, 0), ("", 124), (service("app", "inactive"), 0))
    session = Operator(tmp_path, {"watch": (output, 0)})
    run(tasks_status.status, session, watch=True)
    seen = capsys.readouterr()
    assert f"{STACK} at dev (dev-cattle)" in seen.out
    assert seen.out.index("app      healthy") < seen.out.index("app      inactive")
    assert "Rancher did not answer" in seen.err
    assert len(session.node.sent) == 1


def test_watching_for_a_script_is_an_object_a_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    session = Operator(tmp_path, {"watch": (watched((BOTH, 0), (BOTH, 0)), 0)})
    run(tasks_status.status, session, watch=True, json=True)
    lines = capsys.readouterr().out.splitlines()
    assert [json.loads(line)["stack"] for line in lines] == [STACK, STACK]


@pytest.mark.parametrize(
    ("moment", "told"),
    [
        ("2026-11-22T17:00:00Z", "0 s"),
        ("2026-11-22T16:59:18Z", "42 s"),
        ("2026-11-22T16:00:01+00:00", "59 min"),
        ("2026-11-22T07:00:00", "10 h"),
        ("2026-11-01T17:00:00Z", "21 d"),
        ("2027-01-01T00:00:00Z", "0 s"),
        ("yesterday", ""),
        ("", ""),
    ],
)
def test_how_long_ago(moment: str, told: str) -> None:
    now = datetime(2026, 11, 22, 17, 0, 0, tzinfo=timezone.utc)
    assert status.ago(moment, now) == told


def test_the_address_is_the_only_thing_printed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(tasks_status.url, Operator(tmp_path, {"states": (BOTH, 0)}))
    assert capsys.readouterr().out == "http://web.example.org:60037/\n"
    with pytest.raises(SpinstackError, match="app publishes no port"):
        run(tasks_status.url, Operator(tmp_path / "again", {"states": (BOTH, 0)}), service="app")


def test_open_hands_the_address_to_a_browser(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import webbrowser

    opened: list[str] = []
    monkeypatch.setattr(webbrowser, "open", lambda url: bool(opened.append(url)))
    run(tasks_status.open_, Operator(tmp_path, {"states": (BOTH, 0)}))
    assert opened == ["http://web.example.org:60037/"]
    assert "no web browser" in capsys.readouterr().err


def test_inspect_prints_what_rancher_has(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    warning = 'time="x" level=warning msg="old client"\n'
    answers: Answers = {"states": (BOTH, 0), "inspect web": (warning + '{"id":"1s7"}\n', 0)}
    run(tasks_status.inspect, Operator(tmp_path, answers), service="web")
    assert json.loads(capsys.readouterr().out) == {"id": "1s7"}


def test_inspect_takes_an_error_with_exit_code_0_for_a_failure(tmp_path: Path) -> None:
    answers: Answers = {"states": (BOTH, 0), "inspect web": ("error x: Not found: x\n", 0)}
    with pytest.raises(SpinstackError, match="does not show"):
        run(tasks_status.inspect, Operator(tmp_path, answers), service="web")


@pytest.mark.parametrize(
    "task", [tasks_status.logs, tasks_status.inspect, tasks_status.url, tasks_status.open_]
)
def test_a_service_that_is_not_there_is_answered_with_those_that_are(
    tmp_path: Path, task: object
) -> None:
    session = Operator(tmp_path, {"states": (BOTH, 0)})
    with pytest.raises(UsageError) as error:
        run(task, session, service="wbe")
    assert "did you mean web? The services are app, web" in error.value.remedy
    assert not session.steps  # nobody had to log in for a slip of the pen
    with pytest.raises(UsageError) as error:
        run(task, session, service="database")
    assert "one of app, web" in error.value.remedy
    assert session.steps == ["states"]


def test_a_broken_compose_file_does_not_hide_what_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    session = Operator(tmp_path, {"states": (BOTH, 0)})
    (session.directory / "docker-compose.yml").unlink()
    run(tasks_status.url, session, service="web")
    assert capsys.readouterr().out == "http://web.example.org:60037/\n"


def test_running_counts_what_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Rancher's own number counts stopped containers, and is not written when they stop."""
    states = service("app", "inactive", "", scale=2, currentScale=2) + service("web", scale=2)
    containers = container("1i1", "app-1", "stopped") + container("1i2", "app-2", "stopped")
    containers += container("1i3", "web-1") + container("1i4", "web-2", "error")
    answers: Answers = {**FOUND, "states": (states, 0), "containers": (containers, 0)}
    run(tasks_status.status, Operator(tmp_path, answers))
    rows = [line.split() for line in capsys.readouterr().out.splitlines()[1:3]]
    assert [next(word for word in row if "/" in word) for row in rows] == ["0/2", "1/2"]
    run(tasks_status.status, Operator(tmp_path / "json", answers), json=True)
    told = json.loads(capsys.readouterr().out)["services"]
    assert [one["current"] for one in told] == [0, 1]


def test_the_containers_kept_by_an_upgrade_are_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old = container("1i1", "app-1", "stopped", imageUuid="docker:registry.example/alice/app:c-0")
    new = container("1i5", "app-1", imageUuid="docker:registry.example/alice/app:c-1")
    stopped = container("1i2", "web-1", "stopped")
    states = service("app", "upgraded") + service("web", "inactive", "")
    answers: Answers = {**FOUND, "states": (states, 0), "containers": (old + new + stopped, 0)}
    run(tasks_status.status, Operator(tmp_path, answers))
    kept = [line for line in capsys.readouterr().out.splitlines() if line.startswith("kept: ")]
    assert kept == [f"kept: {STACK}-app-1 (app:c-0, stopped)"]


def test_containers_that_can_not_be_read_are_an_error(tmp_path: Path) -> None:
    answers: Answers = {**FOUND, "containers": ("<html>maintenance</html>\n", 0)}
    with pytest.raises(SpinstackError, match="unexpected output from rancher"):
        run(tasks_status.status, Operator(tmp_path, answers))
