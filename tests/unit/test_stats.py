"""What services tell of themselves in `status`: asked there, shown here, never in the way."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from spinstack.config.service_settings import stats_commands
from spinstack.errors import UsageError
from spinstack.operate import stats
from spinstack.platforms.client import StackClient
from spinstack.platforms.rancher1 import containers
from spinstack.platforms.rancher1.platform import Rancher1
from spinstack.tasks import status as tasks_status
from spinstack.transport.login_node import RecordingLoginNode
from spinstack.transport.script import Script, Transcript
from tests import baking
from tests.unit.operating import BOTH, STACK, Answers, Operator, container, service
from tests.unit.stack_session import run

baking.application()
from nightwatch_web import mounted, workers  # noqa: E402

CONTAINERS = container("1i1", "app-1") + container("1i2", "web-1")
TOLD = {"summary": "2 workers, 1 busy", "workers": 2, "busy": 1}


def told(text: str, code: int = 0, states: str = BOTH) -> Answers:
    """What Rancher answers where the app printed this."""
    return {
        "stats": ("", 0),
        "states": (states, 0),
        "containers": (f"{CONTAINERS}\n@spinstack stats app {code}\n{text}\n", 0),
        "release": ("", 1),
        "note": ("", 1),
        "unfinished": ("", 1),
    }


def lines_of(tmp_path: Path, answers: Answers, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """The lines of `status` that begin with the service's name and a colon."""
    run(tasks_status.status, Operator(tmp_path, answers))
    return [line for line in capsys.readouterr().out.splitlines() if line.startswith("app:")]


def test_status_has_a_line_of_what_a_service_tells(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    session = Operator(tmp_path, told(json.dumps(TOLD)))
    run(tasks_status.status, session)
    out = capsys.readouterr().out.splitlines()
    assert out[3] == "app: 2 workers, 1 busy"
    assert out[4].startswith("release: ")
    # In the one script that tells the states, too.
    assert len(session.node.sent) == 1


def test_status_for_a_script_has_the_fields(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(tasks_status.status, Operator(tmp_path, told(json.dumps(TOLD))), json=True)
    app, web = json.loads(capsys.readouterr().out)["services"]
    assert (app["stats"], web["stats"]) == (TOLD, {})
    run(tasks_status.status, Operator(tmp_path / "again", told("", 124)), json=True)
    app = json.loads(capsys.readouterr().out)["services"][0]
    assert app["stats"] == {"error": "no answer within 3 s"}


@pytest.mark.parametrize(
    ("printed", "code", "line"),
    [
        ("4 busy\nmore of it", 0, "4 busy"),
        ('time="x" level=warning msg="old client"\n{"busy": 1, "idle": 2}', 0, "busy 1, idle 2"),
        ("[1, 2]", 0, "[1, 2]"),
        ("red \x1b[31m alert", 0, "red  alert"),
        ("x" * 1000, 0, f"{'x' * 199}…"),
        ("", 0, "no stats: it printed nothing"),
        ("y\n" * 2000, 141, "no stats: its answer is longer than 3000 bytes"),
        ("", 124, "no stats: no answer within 3 s"),
        ("cut off", 137, "no stats: no answer within 3 s"),
        ("Traceback:\n  line 1\nKeyError: 'x'\n", 1, "no stats: KeyError: 'x'"),
        ('time="x" level=fatal msg="Not found: 1i1"', 1, "no stats: Not found: 1i1"),
        ("", 7, "no stats: exit code 7"),
    ],
)
def test_what_a_service_prints_is_told_in_a_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], printed: str, code: int, line: str
) -> None:
    assert lines_of(tmp_path, told(printed, code), capsys) == [f"app: {line}"]


def test_a_service_that_is_not_up_has_nothing_to_tell_one_that_is_has_to(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    down = service("app", "inactive") + service("web")
    answers = {**told(""), "states": (down, 0), "containers": ("", 1)}
    assert lines_of(tmp_path / "down", answers, capsys) == []
    # Asked all the same, since nobody knows beforehand; nothing could be asked.
    answers = {**told("", 125), "states": (down, 0)}
    assert lines_of(tmp_path / "asked", answers, capsys) == []
    answers = {**told(""), "containers": ("", 1)}
    [line] = lines_of(tmp_path / "up", answers, capsys)
    assert line == "app: no stats: none of its containers is healthy"


def test_nothing_is_asked_where_nothing_is_set_nor_while_watching(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    watching = Operator(tmp_path / "watching", {"watch": ("", 0)})
    run(tasks_status.status, watching, watch=True)
    plain = Operator(tmp_path / "plain", {**told(""), "containers": (CONTAINERS, 0)})
    del plain.settings.raw["stats"]  # type: ignore[attr-defined]
    run(tasks_status.status, plain)
    assert "no stats" not in capsys.readouterr().out
    for session in (watching, plain):
        assert "stats" not in session.steps
        assert "rancher exec" not in "".join(session.node.sent)


@pytest.mark.parametrize("text", ["'open", " ", 5])
def test_a_setting_that_is_no_command_is_found_before_anybody_logs_in(
    tmp_path: Path, text: object
) -> None:
    session = Operator(tmp_path, {})
    session.settings.raw["stats"]["app"] = text
    with pytest.raises(UsageError) as error:
        run(tasks_status.status, session)
    assert error.value.where == "spinstack.stats.app"
    assert session.node.sent == []


def test_a_dry_run_shows_what_is_asked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(tasks_status.status, Operator(tmp_path, {}, dry=True))
    assert "python3 -m nightwatch_web.workers --json <> <(:)" in capsys.readouterr().out


# As Rancher's CLI where it matters: containers of several services and stacks, an old one kept
# by an upgrade; `exec` drops everything when its input is at its end.
RANCHER = f"""#!/bin/bash
if [ "$1" = ps ]; then
  state() {{ printf '{{"CombinedState":"%s","Container":{{"name":"%s"}},"DockerID":"x","ID":"%s"}}\\n' "$@"; }}
  state running other-app-1 1i1; state healthy {STACK}-app-db-1 1i2
  state stopped {STACK}-app-1 1i3; state healthy {STACK}-app-1 1i4; state healthy {STACK}-app-2 1i5
  state running {STACK}-web-1 1i6; state initializing {STACK}-slow-1 1i7
  exit
fi
read -t 0.1; [ $? -gt 128 ] || exit 0
shift; id=$1; shift; echo "$id:"; exec "$@"
"""  # noqa: E501


def asked(
    tmp_path: Path, commands: dict[str, str], edited: Callable[[str], str] = lambda text: text
) -> str:
    """What the steps tell that are sent, run by bash with such a CLI; the script `edited`."""
    cli = tmp_path / "rancher"
    cli.write_text(RANCHER)
    cli.chmod(0o755)
    listing = containers.containers_step()
    to = SimpleNamespace(name="dev", environment="dev-cattle", modules=())
    there = StackClient(RecordingLoginNode(), to, Rancher1(), STACK)  # type: ignore[arg-type]
    script = Script(tuple(stats.beside([listing], there, stats_commands(commands))))
    done = subprocess.run(
        ["bash"],
        input=edited(script.text("mark")),
        env={"PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=20,
    )
    transcript = Transcript(script, "mark")
    transcript.feed(done.stdout)
    return transcript.result.output(listing.name)


def test_the_first_container_that_is_well_is_asked_of_each_service(tmp_path: Path) -> None:
    output = asked(
        tmp_path,
        {
            "app": "sh -c 'echo \"$0\" it  is; exit 3' 'so $HOME'",
            "web": "echo 'a  b'",
            "slow": "echo no",
        },
    )
    assert len(containers.parse(output, STACK)["app"]) == 3
    assert "@spinstack stats app 3\n1i4:\nso $HOME it is\n" in output
    assert "@spinstack stats web 0\n1i6:\na  b\n" in output
    assert "@spinstack stats slow 125\n" in output


def test_services_that_hang_or_do_not_stop_are_not_waited_for(tmp_path: Path) -> None:
    # Of the time that both have one must use up none, the other waits for the end of it.
    limits = f"timeout -k 1 {stats.LIMIT} "

    def edited(text: str) -> str:
        assert text.count(limits) == 2
        text = text.replace(limits, "timeout -k 0.2 1.2 ", 1)
        return text.replace(limits, "timeout -k 0.2 20 ")

    commands = {"app": "sh -c 'trap \"\" TERM; sleep 60'", "web": "yes"}
    output = asked(tmp_path, commands, edited)
    assert "@spinstack stats app 137\n" in output
    assert "@spinstack stats web 141\n" in output
    assert len(output) < stats.MOST + 2000


def worker(number: int, status: str, begun: float = 0, requests: int = 100) -> dict[str, object]:
    """As uWSGI tells of a worker; one of its two threads is at work if it `begun`."""
    cores = [{"in_request": 0, "req_info": {}} for _ in range(2)]
    if begun:
        cores[0] = {"in_request": 1, "req_info": {"request_start": int(begun)}}
    return {
        **{"id": number, "pid": -number, "status": status, "requests": requests},
        **{"rss": 100_000_000, "harakiri_count": 0, "cores": cores},
    }


def test_what_the_nightwatch_app_tells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    idle = {"pid": -9, "listen_queue": 0}
    cheap = worker(0, "cheap", requests=5)
    told = workers.told({**idle, "workers": [worker(1, "idle"), cheap]}, 1000)
    assert told["summary"] == "1 worker, 0 busy, 105 requests, 100 MB"
    assert (told["most_workers"], told["longest_seconds"]) == (2, None)

    late = [
        worker(1, "busy", 995.2),
        worker(2, "busy", 998),
        {**worker(3, "idle"), "harakiri_count": 2},
    ]
    told = workers.told({"pid": -9, "listen_queue": 7, "workers": late}, 1000.3)
    assert told["summary"] == (
        "3 workers, 2 busy, 300 requests, 300 MB; longest 5 s; 7 wait; 2 cut off as too slow"
    )
    assert (told["longest_seconds"], told["waiting"], told["cut_off"]) == (5, 7, 2)

    mounted.note("ModuleNotFoundError: No module named 'pandas'")
    told = workers.told({**idle, "workers": [worker(1, "idle")]}, 1000)
    assert told["summary"].endswith(
        "100 MB; no page can be made on demand: ModuleNotFoundError: No module named 'pandas'"
    )
    assert told["import_problem"] == "ModuleNotFoundError: No module named 'pandas'"
