"""Rows of the facts on Rancher's CLI 0.6.7: command and state, then output, code and effect."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from spin_rehearsal.rancher import waiting
from spin_rehearsal.rancher.main import main
from tests.unit.rancher_fake import ACCESS, SECRET, FakeRancher, FakeServer


class Answer(NamedTuple):
    code: int
    out: str
    err: str


Run = Callable[..., Answer]


@pytest.fixture
def rancher() -> FakeRancher:
    return FakeRancher()


@pytest.fixture
def run(
    rancher: FakeRancher,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> Iterator[Run]:
    monkeypatch.setattr(waiting, "_PAUSE", 0.01)
    monkeypatch.chdir(tmp_path)
    with FakeServer(rancher) as server:
        for name, value in {
            "URL": server.url,
            "ACCESS_KEY": ACCESS,
            "SECRET_KEY": SECRET,
            "ENVIRONMENT": "dev-cattle",
        }.items():
            monkeypatch.setenv(f"RANCHER_{name}", value)

        def call(*words: str) -> Answer:
            code = main(words)
            captured = capsys.readouterr()
            return Answer(code, captured.out, captured.err)

        yield call


NOT_FOUND = [
    ("ps X", 1, 'level=fatal msg="Not found: X"', "Default"),
    ("ps S/X", 1, 'level=fatal msg="Not found: S/X"', "S"),
    ("ps demo", 1, 'level=fatal msg="Not found: demo"', "Default"),
    ("ps -c X", 1, 'level=fatal msg="Not found: X"', ""),
    ("inspect X", 0, "error X: Not found: X", "Default"),
    ("inspect demo/nosuch", 0, "error demo/nosuch: Not found: demo/nosuch", ""),
    ("inspect --type stack X", 0, "error X: Not found: X", ""),
    ("stop X", 1, "error X: Not found: X", "Default"),
    ("start X", 1, "error X: Not found: X", "Default"),
    ("restart X", 1, "error X: Not found: X", "Default"),
    ("restart demo", 1, "error demo: Not found: demo", "Default"),
    ("rm X", 1, "error X: Not found: X", "Default"),
    ("rm --type service S/X", 1, "error S/X: Not found: S/X", "S"),
    ("rm --type stack X", 1, "error X: Not found: X", ""),
    ("stop --type stack X", 1, "error X: Not found: X", ""),
    ("logs X", 1, 'level=fatal msg="Not found: X"', "Default"),
    ("exec X ls", 1, 'level=fatal msg="Not found: X"', "Default"),
    ("exec -u 0 web", 1, 'level=fatal msg="Not found: 0"', "Default"),
    ("scale X=1", 1, 'level=fatal msg="Not found: X"', "Default"),
    ("export X", 1, 'level=fatal msg="Not found: X"', ""),
    ("wait X", 1, 'level=fatal msg="Not found: X"', "Default"),
]


@pytest.mark.parametrize(("line", "code", "out", "created"), NOT_FOUND)
def test_an_unknown_name_is_told_as_the_real_client_does(
    run: Run, rancher: FakeRancher, line: str, code: int, out: str, created: str
) -> None:
    rancher.add_service("demo", "web")
    answer = run(*line.split())
    assert (answer.code, answer.err) == (code, "")
    assert out in answer.out
    assert rancher.stacks() == sorted(["demo", created] if created else ["demo"])


USAGE = [
    ("", 0, "Usage: rancher"),
    ("--version", 0, "rancher version v0.6.7"),
    ("help up", 0, "--confirm-upgrade"),
    ("nosuch", 3, ""),
    ("stop -w web", 1, "Incorrect Usage."),
    ("ps --nosuch", 1, "Incorrect Usage."),
    ("logs --tail", 1, "flag needs an argument: -tail"),
    ("--nosuch ps", 1, "Incorrect Usage."),
    ("rm", 0, ""),
    ("stop", 0, ""),
    ("inspect", 0, ""),
    ("logs", 1, 'msg="Please pass a container name"'),
    ("scale demo/web=abc", 1, "Invalid format"),
    ("exec -it demo-web-1 sh", 1, ""),
]


@pytest.mark.parametrize(("line", "code", "out"), USAGE)
def test_wrong_and_empty_use(
    run: Run, rancher: FakeRancher, line: str, code: int, out: str
) -> None:
    rancher.add_service("demo", "web")
    answer = run(*line.split())
    assert answer.code == code
    assert out in answer.out if out else answer.out == ""
    assert rancher.requests == []
    if line == "nosuch":
        assert answer.err == "No help topic for 'nosuch'\n"
    if line.startswith("exec"):
        assert answer.err == "the input device is not a TTY\n"


ACTIONS = [
    ("stop demo/web", "active", 0, "{service}\n", "POST services/{service}?action=deactivate"),
    ("stop demo/web", "inactive", 1, "error {service}: stop/deactivate/deactivateservices "
     "not currently available on service {service}\n{service}\n", ""),
    ("stop demo/web", "upgraded", 1, "error {service}: stop/deactivate/deactivateservices "
     "not currently available on service {service}\n{service}\n", ""),
    ("start demo/web", "active", 1, "error {service}: start/activate/activateservices "
     "not currently available on service {service}\n{service}\n", ""),
    ("start demo/web", "inactive", 0, "{service}\n", "POST services/{service}?action=activate"),
    ("restart demo/web", "active", 0, "{service}\n", "POST services/{service}?action=restart"),
    ("stop --type stack demo", "active", 0, "{stack}\n",
     "POST stacks/{stack}?action=deactivateservices"),
    ("start --type stack demo", "active", 0, "{stack}\n",
     "POST stacks/{stack}?action=activateservices"),
    ("rm --type stack demo", "active", 0, "{stack}\n", "DELETE stacks/{stack}"),
    ("rm demo/web", "active", 0, "{service}\n", "DELETE services/{service}"),
    ("rm --stop demo/web", "active", 0, "{service}\n{service}\n",
     "POST services/{service}?action=deactivate DELETE services/{service}"),
    ("rm demo-web-1", "active", 1,
     "error: Must call stop on container {container} before removing\n", "POST stacks"),
    ("stop {service} nosuch/x", "active", 1, "{service}\nerror nosuch/x: Not found: nosuch/x\n",
     "POST services/{service}?action=deactivate POST stacks"),
    ("scale demo/web=2", "active", 0, "demo/web\n", "PUT services/{service}"),
]  # fmt: skip


@pytest.mark.parametrize(("line", "state", "code", "out", "requests"), ACTIONS)
def test_an_action_on_a_name(
    run: Run, rancher: FakeRancher, line: str, state: str, code: int, out: str, requests: str
) -> None:
    service = rancher.add_service("demo", "web", state=state)
    ids = {
        "service": service["id"],
        "stack": service["stackId"],
        "container": service["instanceIds"][0],
    }
    answer = run(*line.format(**ids).split())
    assert answer == Answer(code, out.format(**ids), "")
    assert " ".join(rancher.requests) == requests.format(**ids)


def test_a_stack_with_an_unconfirmed_upgrade_cannot_be_stopped(
    run: Run, rancher: FakeRancher
) -> None:
    service = rancher.add_service("demo", "web", state="upgraded")
    answer = run("stop", "--type", "stack", "demo")
    assert answer.code == 1
    assert re.match(
        rf"error {service['stackId']}: Bad response statusCode \[422\]\. "
        r"Status \[422 Unprocessable Entity\]\. Body: \[.*Service web is not in valid state to "
        r"be deactivated: upgraded.*\] from \[http://.*\]\n",
        answer.out,
    )


def test_a_second_removal_is_refused_with_an_empty_body(run: Run, rancher: FakeRancher) -> None:
    rancher.add_service("demo", "web")
    run("rm", "demo/web")
    answer = run("rm", "demo/web")
    assert answer.code == 1
    assert "Bad response statusCode [405]. Status [405 Method Not Allowed]. Body: []" in answer.out


def test_a_scale_that_is_refused_names_the_service_first(run: Run, rancher: FakeRancher) -> None:
    rancher.add_service("demo", "web", state="upgraded")
    code, out, _ = run("scale", "demo/web=2")
    first, refused = out.splitlines()
    assert (code, first) == (1, "demo/web")
    assert "[409]" in refused


def test_scale_without_a_number_scales_to_one(run: Run, rancher: FakeRancher) -> None:
    service = rancher.add_service("demo", "web", scale=3)
    assert run("scale", "demo/web") == Answer(0, "demo/web\n", "")
    assert service["scale"] == 1


def test_ps_pads_its_columns_and_hides_what_is_at_rest(run: Run, rancher: FakeRancher) -> None:
    service = rancher.add_service("demo", "web")
    rancher.add_service("demo", "db", state="inactive")
    lines = run("ps").out.splitlines()
    head = (
        "ID        TYPE      NAME       IMAGE     STATE     SCALE     SYSTEM    ENDPOINTS   DETAIL"
    )
    assert lines[0] == head
    row = f"{service['id']:10}service   demo/web   x:1.0     healthy   1/1       false"
    assert [line.rstrip() for line in lines[1:]] == [row]
    assert "demo/db" in run("ps", "--all").out


def test_ps_of_a_service_lists_its_containers_stopped_ones_too(
    run: Run, rancher: FakeRancher
) -> None:
    service = rancher.add_service("demo", "web")
    rancher.add_container(service, "demo-web-2", state="stopped")
    container = service["instanceIds"][0]
    shown = run("ps", "--containers").out.splitlines()
    head = "ID        NAME         IMAGE     STATE     HOST      IP          DOCKER         DETAIL"
    row = f"{container:10}demo-web-1   x:1.0     running   1h1       10.42.0.2   fa213a4407e9"
    assert [line.rstrip() for line in shown] == [head, row]
    assert run("ps", "demo/web", "-q", "--all").out.split() == service["instanceIds"]


def test_ps_formats(run: Run, rancher: FakeRancher) -> None:
    endpoint = {"ipAddress": "127.0.0.1", "port": 60037}
    rancher.add_service("demo", "web", publicEndpoints=[endpoint], retainIp=False)
    found = json.loads(run("ps", "--format", "json").out)
    assert set(found) == {"Service", "Name", "LaunchConfig", "Stack", "CombinedState", "ID"}
    assert found["Service"]["publicEndpoints"] == [endpoint]
    assert "retainIp" not in found["Service"]
    form = "{{.Name}}{{range .Service.PublicEndpoints}} {{.IpAddress}}:{{.Port}}{{end}}"
    assert run("ps", "--format", form).out == "demo/web 127.0.0.1:60037\n"
    form = "{{.Container.Name}} {{.CombinedState}} {{.Container.PrimaryIpAddress}}"
    assert run("ps", "-c", "--format", form).out == "demo-web-1 running 10.42.0.2\n"
    wrong = run("ps", "--format", "{{.Service.Nosuch}}")
    assert wrong.code == 1
    assert "can't evaluate field Nosuch" in wrong.out


def test_inspect_shows_the_resource_without_links(run: Run, rancher: FakeRancher) -> None:
    service = rancher.add_service("demo", "web", fqdn="web.demo", createdTS=1769860800000)
    for name in ("demo/web", service["id"]):
        found = json.loads(run("inspect", name).out)
        assert found["name"] == "web"
        assert not {"links", "actions"} & set(found)
    assert "links" in json.loads(run("inspect", "--links", "demo/web").out)
    formats = {
        "{{.fqdn}} {{.state}} {{.nosuch}}": "web.demo active <no value>\n",
        "{{.createdTS}} {{.scale}}": "1.7698608e+12 1\n",
        "yaml": "yaml\n",
        "{{.fqdn}}\t{{.state}}": "",
    }
    for form, out in formats.items():
        assert run("inspect", "--format", form, "demo/web") == Answer(0, out, "")
    assert '\n  "name": "web"' in run("inspect", "--format", "{{json .}}", "demo/web").out


def test_inspecting_a_stack_creates_default_unless_its_type_is_told(
    run: Run, rancher: FakeRancher
) -> None:
    rancher.add_service("demo", "web")
    assert json.loads(run("inspect", "--type", "stack", "demo").out)["type"] == "stack"
    assert rancher.stacks() == ["demo"]
    assert json.loads(run("inspect", "demo").out)["type"] == "stack"
    assert rancher.stacks() == ["Default", "demo"]


def test_logs_keep_the_streams_apart(run: Run, rancher: FakeRancher) -> None:
    service = rancher.add_service("demo", "web")
    assert run("logs", "demo/web") == Answer(0, "one\n", "two\n")
    assert run("logs", "demo-web-1", "--tail", "5") == Answer(0, "one\n", "two\n")
    rancher.add_container(service, "demo-web-2")
    lines = run("logs", "demo/web").out.splitlines()
    assert sorted(lines) == ["demo-web-1 | one", "demo-web-2 | one"]
    assert "started" in run("logs", "--service", "demo/web").out


def test_wait_reports_a_failed_start(run: Run, rancher: FakeRancher) -> None:
    service = rancher.add_service("demo", "web", transitioning="error")
    service["transitioningMessage"] = "can't be pulled"
    answer = run("wait", "demo/web")
    assert answer.code == 1
    assert f"service:{service['id']} failed: can't be pulled" in answer.out
    service.update(transitioning="no")
    assert run("wait", "demo/web") == Answer(0, "demo/web\n", "")


def test_the_global_wait(run: Run, rancher: FakeRancher) -> None:
    service = rancher.add_service("demo", "web")
    # It waits for `active`, which a stopped service never becomes.
    assert "msg=Timeout" in run("--wait", "--wait-timeout", "0", "stop", "demo/web").out
    service.update(state="active")
    line = ("--wait", "--wait-state", "removed", "rm", "--type", "stack", "demo")
    assert run(*line) == Answer(0, f"{service['stackId']}\n", "")


def test_export_writes_files_or_an_archive(run: Run, rancher: FakeRancher, tmp_path: Path) -> None:
    rancher.add_service("demo", "web")
    assert run("export", "demo") == Answer(0, "", "")
    assert "image: x:1.0" in (tmp_path / "demo" / "docker-compose.yml").read_text()
    assert (tmp_path / "demo" / "rancher-compose.yml").exists()
    assert run("export", "-f", "demo.tar", "demo").code == 0
    assert (tmp_path / "demo.tar").read_bytes()[:25].startswith(b"demo/docker-compose.yml")


def test_environments_are_listed_as_a_table(run: Run) -> None:
    lines = run("environment").out.splitlines()
    assert lines[0] == "ID        NAME          ORCHESTRATION   STATE     CREATED"
    assert lines[1].split() == ["1a5", "dev-cattle", "cattle", "active"]
