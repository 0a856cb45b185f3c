"""The tasks on a platform that has nothing of Rancher: what they do, and that nobody names it.

The login node is real bash (see `there.py`), the platform `plain_platform.py`.
"""

from __future__ import annotations

import base64
import gzip
import io
import json
import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from invoke.config import Config
from invoke.context import Context
from invoke.exceptions import Exit

from spinstack.checks import image_state
from spinstack.errors import SpinstackError, UsageError
from spinstack.images.engine import Engine
from spinstack.session import Session
from spinstack.setup import project
from spinstack.tasks import exec as tasks_exec
from spinstack.tasks import operate, prepare, secrets, setup, ship
from spinstack.tasks import status as tasks_status
from spinstack.transport import probe
from spinstack.transport.command import Command
from spinstack.transport.login_node import ConnectionLost, LoginNode, PrintingLoginNode
from spinstack.transport.probe import Answer
from spinstack.transport.runner import RecordingRunner, Result, Runner
from spinstack.transport.script import Script, ScriptResult
from tests.unit import plain_platform
from tests.unit.plain_platform import Plain
from tests.unit.stack_session import run
from tests.unit.there import CURL, PROFILE, There

COMPOSE = """\
version: '2'
services:
  app:
    image: registry.spin.nersc.gov/alice/app:1.0
    user: ${UID}:58102
    command: [serve, --port, '5000']
    environment: {LEVEL: "2"}
  web:
    image: registry.spin.nersc.gov/alice/web:1.0
    ports: ["60037:8080"]
    user: ${UID}:58102
    cap_drop: [ALL]
    volumes: ["./web/nginx.conf:/etc/nginx/nginx.conf:ro"]
"""
ADDRESS = "http://10.9.8.7:60037/"


@dataclass
class PlainThere(There):
    """A login node that Plain serves, and no other platform."""

    sent: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        plain_platform.install(self.home)
        (self.home / ".bash_profile").write_text(PROFILE)
        (self.home / "site").write_text("200")
        self._program("curl", CURL)

    def run(self, script: Script, **more: Any) -> ScriptResult:
        self.sent.append(script.text("@@mark"))
        return super().run(script, **more)

    def interact(
        self, prepare: Command, command: Command, *, terminal: bool, input: bytes = b""
    ) -> int:
        self.sent.append(f"{prepare.script()} && {command.script()}")
        told = subprocess.run(
            ["bash", "-lc", self.sent[-1]],
            input=input,
            env={"HOME": str(self.home), "PATH": "/usr/bin:/bin"},
            capture_output=True,
        )
        print(told.stdout.decode().rpartition("plain\n")[2], end="")
        return told.returncode

    def odd(self, **what: str) -> None:
        """What Plain does otherwise: `new`: how services are after an upgrade; a verb prints
        this instead of doing it. Empty: as it should again."""
        for name, text in what.items():
            path = self.home / "odd" / name
            path.write_text(f"{text}\n")
            if not text:
                path.unlink()

    def of(self, service: str, what: str) -> str:
        path = self.home / "plain" / "demo" / service / what
        return path.read_text().rstrip("\n") if path.exists() else ""

    def put(self, service: str, what: str, text: str) -> None:
        (self.home / "plain" / "demo" / service / what).write_text(f"{text}\n")

    @property
    def verbs(self) -> list[str]:
        """What Plain was told to do, without looks."""
        lines = (self.home / "calls").read_text().splitlines()
        looks = ("list", "copies", "here", "show", "say", "kept")
        return [line for line in lines if line.split()[0] not in looks]


class PlainSession(Session):
    """At a destination that Plain serves; programs here only answer what was announced."""

    def __init__(
        self,
        directory: Path,
        node: PlainThere,
        *,
        to: str | None = None,
        dry: bool = False,
        **more: Any,
    ) -> None:
        place = {"project_dir": str(node.home / "project"), "environment": "attic"}
        settings = {
            "stack": "demo",
            "destination": "dev",
            "user": "alice",
            "namespace": "alice",
            "address": "endpoint",
            "healthy_within": 20,
            "centre": {"storage": {"mountable": [str(node.home)]}},
            "destinations": {"dev": place},
            **more,
        }
        super().__init__(
            Context(Config(overrides={"spinstack": settings, "run": {"dry": dry}})), to
        )
        self.__dict__.update(directory=directory, engine=Engine("docker"), platform=Plain())
        self.node = node
        self.programs = RecordingRunner(
            {
                "docker image inspect": Result("", "No such image", 1),
                "git -C": Result("", "not a git repository", 128),
            }
        )

    @property
    def runner(self) -> Runner:
        return self.programs

    @contextmanager
    def login_node(self) -> Iterator[LoginNode]:
        yield PrintingLoginNode("ssh there", self.console.result) if self.dry else self.node


class Desk:
    """Somebody who types tasks: each has a session of its own, as with Invoke."""

    def __init__(
        self, directory: Path, node: PlainThere, capsys: pytest.CaptureFixture[str]
    ) -> None:
        self.directory = directory
        self.node = node
        self._capsys = capsys
        self._heard: list[str] = []

    def types(self, task: Any, *, to: str | None = None, dry: bool = False, **options: Any) -> str:
        """What the task prints as its result."""
        self._hear()
        run(task, PlainSession(self.directory, self.node, to=to, dry=dry), **options)
        return self._hear()

    def fails(self, task: Any, *, to: str | None = None, **options: Any) -> SpinstackError:
        """The error that the task ends with, having been told as a person is told it."""
        session = PlainSession(self.directory, self.node, to=to)
        with pytest.raises(SpinstackError) as error:
            run(task, session, **options)
        session.console.error(error.value)
        return error.value

    def exits(self, task: Any, **options: Any) -> tuple[int, str]:
        """The exit code of a task that has told something, and that."""
        with pytest.raises(Exit) as end:
            self.types(task, **options)
        return end.value.code, self._hear()

    def _hear(self) -> str:
        out, err = self._capsys.readouterr()
        self._heard += [out, err]
        return out

    @property
    def heard(self) -> str:
        """All that was printed, in whatever way, and sent: what goes packed unpacked."""
        self._hear()
        jobs = [path.read_text() for path in self.node.root.glob("changes/*/*")]
        return "\n".join([*self._heard, *map(_unpacked, self.node.sent), *jobs])


def _unpacked(script: str) -> str:
    """A script with what it carries in base64 in clear; of archives their whole bytes."""

    def clear(match: re.Match[str]) -> str:
        data = base64.b64decode(match[0])
        if data.startswith(b"\x1f\x8b"):
            data = gzip.GzipFile(fileobj=io.BytesIO(data)).read()
        return data.decode(errors="replace")

    return re.sub(r"(?<=printf %s )[A-Za-z0-9+/]{40,}=*", clear, script)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    place = tmp_path / "laptop" / "demo"
    (place / "web").mkdir(parents=True)
    (place / "docker-compose.yml").write_text(COMPOSE)
    (place / "stack.env").write_text("")
    (place / "web" / "nginx.conf").write_text("server { listen 8080; }\n")
    return place


@pytest.fixture
def node(tmp_path: Path) -> Iterator[PlainThere]:
    there = PlainThere(tmp_path / "there")
    yield there
    there.over()


@pytest.fixture
def desk(
    directory: Path,
    node: PlainThere,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Desk]:
    monkeypatch.setattr(probe, "ask", lambda url: Answer(200, "OK"))
    monkeypatch.setattr(image_state, "findings", lambda *_, **__: [])
    typing = Desk(directory, node, capsys)
    yield typing
    named = [line for line in typing.heard.splitlines() if "rancher" in line.lower()]
    assert not named, "a word of another platform"


def changed(desk: Desk, image: str = "2.0") -> None:
    text = COMPOSE.replace("alice/web:1.0", f"alice/web:{image}")
    (desk.directory / "docker-compose.yml").write_text(text)


def past(node: There) -> list[tuple[str, str]]:
    lines = (node.root / "history.jsonl").read_text().splitlines()
    return [(one["doing"], one["outcome"]) for one in map(json.loads, lines)]


def test_a_stack_is_created_and_then_upgraded_at_once(desk: Desk, node: PlainThere) -> None:
    assert desk.types(ship.deploy) == f"{ADDRESS}\n"
    assert node.verbs == ["check demo", "apply demo"]
    first = node.of("web", "release")
    assert node.of("web", "state") == node.of("app", "state") == "up"
    changed(desk)
    assert desk.types(ship.deploy) == f"{ADDRESS}\n"
    assert node.verbs[2:] == ["check demo", "apply demo"]
    assert "web:2.0" in node.of("web", "spec")
    assert node.of("web", "before/release") == first
    assert past(node) == [("deploy", "done")] * 2
    calls = len(node.verbs)
    assert desk.types(ship.deploy) == f"{ADDRESS}\n"
    assert len(node.verbs) == calls, "nothing is done twice"


@pytest.mark.parametrize(
    ("odd", "said"),
    [
        ({"new": "broken: ImagePullBackOff"}, "web failed: ImagePullBackOff"),
        ({"new": "ill"}, "web failed the health check"),
        ({"new": "rolling"}, "web did not become healthy within 20 s"),
        ({"apply": "plain: no: the quota is used up"}, "Plain did not bring up demo"),
    ],
)
def test_an_upgrade_that_does_not_get_well_is_put_back(
    desk: Desk, node: PlainThere, odd: dict[str, str], said: str
) -> None:
    desk.types(ship.deploy)
    first = node.of("web", "release")
    changed(desk)
    node.odd(**odd)
    error = desk.fails(ship.deploy)
    assert error.what.startswith(said)
    assert error.now == "the previous version is running again"
    assert "web:1.0" in node.of("web", "spec")
    assert node.of("web", "release") == first
    assert node.of("app", "release") == first
    assert [node.of(name, "state") for name in ("app", "web")] == ["up", "up"]
    assert past(node) == [("deploy", "done"), ("deploy", "taken back")]
    if "new" in odd:
        assert "web-1 | starting registry.spin.nersc.gov/alice/web:2.0" in error.details or (
            "starting registry.spin.nersc.gov/alice/web:2.0" in error.details
        )


def test_what_cannot_be_put_back_is_told_and_goes_back_later(desk: Desk, node: PlainThere) -> None:
    desk.types(ship.deploy)
    first = node.of("web", "release")
    changed(desk)
    node.odd(new="broken: CrashLoopBackOff", back="plain: no: the copy is gone")
    error = desk.fails(ship.deploy)
    assert error.now == "the upgrade is unfinished: what ran before it was not brought back"
    assert "and the rollback failed:\nthe copy is gone" in error.details
    assert "invoke rollback" in error.remedy
    second = node.of("web", "release")
    listed = json.loads(desk.types(ship.releases, json=True))
    assert [(one["id"], one["state"]) for one in listed] == [
        (first, "current"),
        (second, "unfinished"),
    ]
    node.odd(new="", back="")
    assert desk.types(ship.rollback, yes=True) == f"{ADDRESS}\n"
    assert node.of("web", "release") == first, "not one further back"
    assert past(node)[-1] == ("rollback", "done")


def test_what_is_broken_is_upgraded_without_being_stopped(desk: Desk, node: PlainThere) -> None:
    desk.types(ship.deploy)
    node.put("web", "state", "broken: CrashLoopBackOff")
    changed(desk)
    desk.types(ship.deploy)
    assert node.verbs[-2:] == ["check demo", "apply demo"]
    assert node.of("web", "state") == "up"


def test_a_laptop_that_is_closed_finds_the_deploy_done(desk: Desk, node: PlainThere) -> None:
    def closes(name: str) -> None:
        if name == "bring up":
            node.happens = lambda name: None
            raise ConnectionLost("the connection was lost")

    node.happens = closes
    desk.fails(ship.deploy)
    assert desk.types(ship.deploy) == f"{ADDRESS}\n"
    assert node.verbs.count("apply demo") == 1


def test_rollback_goes_back_to_the_release_before(desk: Desk, node: PlainThere) -> None:
    desk.types(ship.deploy)
    changed(desk)
    desk.types(ship.deploy)
    assert desk.types(ship.rollback, yes=True) == f"{ADDRESS}\n"
    assert "web:1.0" in node.of("web", "spec")
    said = desk.types(ship.journal)
    assert "bring up" in said
    assert said.endswith("done\n")


@pytest.mark.parametrize("task", [ship.upgrade, ship.confirm])
def test_there_is_no_second_step(desk: Desk, node: PlainThere, task: Any) -> None:
    error = desk.fails(task, yes=True)
    assert isinstance(error, UsageError)
    assert "Plain has no second step" in error.what
    assert error.remedy.startswith("invoke deploy")
    assert not node.sent, "nobody logs in for that"


def test_up_does_not_send_to_a_task_that_is_none(desk: Desk) -> None:
    desk.types(ship.up)
    assert desk.fails(ship.up).remedy == "run `invoke deploy`"


def test_status_tells_states_and_their_reasons(desk: Desk, node: PlainThere) -> None:
    desk.types(ship.deploy)
    node.put("app", "want", "3")
    node.put("web", "state", "broken: ImagePullBackOff")
    app, web, *rest = desk.types(tasks_status.status).splitlines()[1:]
    assert re.split("  +", app)[:2] == ["app", "healthy"]
    assert "3/3" in app
    assert re.split("  +", web)[:2] == ["web", "broken"]
    assert web.endswith("ImagePullBackOff")
    assert any(line.startswith("release: ") for line in rest)
    told = json.loads(desk.types(tasks_status.status, json=True))
    app, web = told["services"]
    assert [one["name"] for one in app["containers"]] == ["app-1", "app-2", "app-3"]
    assert {one["state"] for one in app["containers"]} == {"running"}
    assert app["since"] == "2026-11-22T16:00:00.000000"
    assert (web["state"], web["phase"], web["message"]) == ("broken", "failed", "ImagePullBackOff")
    assert told["url"] == ADDRESS
    assert desk.types(tasks_status.url) == f"{ADDRESS}\n"


def test_status_watches_and_tells_of_what_is_not_there(desk: Desk, node: PlainThere) -> None:
    assert desk.fails(tasks_status.status).what == "demo is not running at dev"
    desk.types(ship.deploy)
    # The channel of this login node is at its end: it is one round.
    assert "web      healthy" in desk.types(tasks_status.status, watch=True)
    node.odd(list="<html>we are painting</html>")
    error = desk.fails(tasks_status.status)
    assert error.what == "unexpected output from plain"
    assert "plain list" in error.remedy
    (node.home / "token").unlink()
    assert desk.fails(tasks_status.status)


@pytest.mark.parametrize("follow", [False, True])
def test_logs_are_in_the_order_of_time(desk: Desk, node: PlainThere, follow: bool) -> None:
    desk.types(ship.deploy)
    node.put("app", "log", "@1795363201 app-1 one\n@1795363203 app-2 three\n  at line 4")
    node.put("web", "log", "@1795363202 web-1 two")
    lines = desk.types(tasks_status.logs, follow=follow).splitlines()
    expected = ["app-1 | one", "web-1 | two", "app-2 | three", "app |   at line 4"]
    assert sorted(lines) == sorted(expected) if follow else lines == expected
    assert desk.types(tasks_status.logs, service="web", tail="5", since="1h") == "web-1 | two\n"


def test_a_service_is_stopped_started_restarted_and_removed(desk: Desk, node: PlainThere) -> None:
    desk.types(ship.deploy)
    desk.types(operate.stop, service="web", yes=True)
    assert node.of("web", "state") == "off"
    assert "stopped" in desk.types(tasks_status.status)
    desk.types(operate.start)
    assert node.of("web", "state") == "up"
    desk.types(operate.restart, service="app", yes=True)
    assert node.verbs[-1] == "again demo/app"
    node.put("web", "state", "going")
    assert "web is being removed" in desk.fails(operate.stop, service="web", yes=True).what
    node.put("web", "state", "up")
    desk.types(operate.rm, service="web", yes=True)
    desk.types(operate.rm, yes=True)
    assert not (node.home / "plain" / "demo").exists()
    assert "nothing to remove" in desk.types(operate.rm, yes=True)


def test_a_service_is_scaled_until_all_its_copies_run(desk: Desk, node: PlainThere) -> None:
    desk.types(ship.deploy)
    desk.types(operate.scale, service="app", count=3, yes=True)
    assert node.of("app", "want") == "3"
    changed(desk)
    desk.types(ship.deploy)
    assert node.of("app", "want") == "3", "it stays so"


def test_a_command_runs_in_a_copy(desk: Desk, node: PlainThere) -> None:
    desk.types(ship.deploy)
    assert desk.types(tasks_exec.exec_, service="app", command="cat want") == "1\n"
    code, _ = desk.exits(tasks_exec.exec_, service="app", command="sh -c 'exit 3'")
    assert code == 3
    node.put("app", "state", "off")
    assert (
        "no container of app is running"
        in desk.fails(tasks_exec.exec_, service="app", command="cat want").what
    )


def test_services_tell_of_themselves(desk: Desk, node: PlainThere) -> None:
    desk.types(ship.deploy)
    session = PlainSession(desk.directory, node, stats={"app": "cat want"})
    assert "app: 1\n" in _printed(desk, lambda: run(tasks_status.status, session))


def _printed(desk: Desk, call: Callable[[], Any]) -> str:
    desk._hear()
    call()
    return desk._hear()


def test_secrets_and_volumes_come_and_go(desk: Desk, node: PlainThere, tmp_path: Path) -> None:
    value = tmp_path / "password"
    value.write_bytes(b"100%\\ 'open'\0\n")
    value.chmod(0o600)
    desk.types(secrets.secret_create, name="password", service="app", file=str(value))
    kept = node.home / "kept-secret" / "app.demo.password"
    assert kept.read_bytes() == value.read_bytes()
    assert "app.demo.password" in desk.types(secrets.secret_list)
    assert (
        "already"
        in desk.fails(secrets.secret_create, name="password", service="app", file=str(value)).what
    )
    desk.types(secrets.secret_rm, name="password", service="app", yes=True)
    assert not kept.exists()
    desk.types(secrets.volume_create, service="app")
    assert (node.home / "kept-volume" / "app.demo").read_text() == "directory"
    desk.types(secrets.volume_rm, service="app", yes=True)
    assert desk.types(secrets.volume_list, json=True) == "[]\n"


def test_diff_tells_what_a_deploy_would_change(desk: Desk) -> None:
    code, said = desk.exits(ship.diff)
    assert (code, said.count("new service")) == (2, 2)
    desk.types(ship.deploy)
    assert desk.types(ship.diff) == "nothing to do\n"
    changed(desk)
    code, said = desk.exits(ship.diff, json=True)
    assert code == 2
    whats = {one["what"]: one for one in json.loads(said)}
    assert whats.keys() == {"image", "files mounted from the release"}
    assert whats["image"]["wanted"].endswith("web:2.0")


def test_check_asks_the_platform(desk: Desk, node: PlainThere) -> None:
    assert desk.types(prepare.check) == "demo at dev: 0 errors, 0 warnings\n"
    assert not node.sent
    desk.types(ship.deploy)
    (node.home / "plain" / "other").mkdir()
    (node.home / "plain/demo/web").rename(node.home / "plain/other/web")
    code, said = desk.exits(prepare.check, to="dev", json=True)
    assert code == 1
    rules = [one["rule"] for one in json.loads(said)]
    assert "port-taken" in rules
    (node.home / "token").unlink()
    _, said = desk.exits(prepare.check, to="dev", json=True)
    assert "plain-token" in [one["rule"] for one in json.loads(said)]
    (node.home / "bin" / "plain").unlink()
    _, said = desk.exits(prepare.check, to="dev", json=True)
    assert "plain-program" in [one["rule"] for one in json.loads(said)]


def test_an_account_without_access_does_not_start_a_second_stack(
    desk: Desk, node: PlainThere
) -> None:
    desk.types(ship.deploy)
    (node.home / "token").unlink()
    calls = node.verbs
    changed(desk)
    error = desk.fails(ship.deploy)
    assert error.what == "you have no token for Plain"
    assert error.remedy == "fetch one from its page"
    assert node.verbs == calls
    assert desk.fails(ship.rollback, yes=True).what == error.what
    assert not (node.root / "lock").exists()


def test_what_plain_says_is_explained(desk: Desk, node: PlainThere) -> None:
    desk.types(ship.deploy)
    node.odd(list="plain: no: the door is shut")
    (node.home / "odd" / "list").write_text("plain: no: the door is shut\n<closed>\n")
    desk.fails(tasks_status.status)
    node.odd(list="")
    node.odd(check="plain: hm: GREETING is not set")
    changed(desk)
    error = desk.fails(ship.deploy)
    assert error.what == "Plain can't use the stack's files"
    assert error.details == "GREETING is not set"


@pytest.mark.parametrize(
    ("task", "options"),
    [
        (ship.deploy, {"yes": True}),
        (ship.rollback, {"yes": True}),
        (ship.prune, {"yes": True}),
        (ship.diff, {}),
        (ship.render, {}),
        (tasks_status.status, {}),
        (tasks_status.status, {"watch": True}),
        (tasks_status.logs, {"follow": True}),
        (tasks_status.inspect, {"service": "web"}),
        (operate.stop, {"service": "web", "yes": True}),
        (operate.rm, {"yes": True}),
        (secrets.secret_list, {}),
        (tasks_exec.exec_, {"service": "web", "command": "true"}),
        (prepare.check, {}),
        (setup.setup, {}),
    ],
)
def test_a_dry_run_shows_this_platform(desk: Desk, task: Any, options: dict[str, Any]) -> None:
    said = desk.types(task, dry=True, **options)
    assert "plain" in said or task in (ship.prune, ship.render, prepare.check)
    assert "--upgrade" not in said


def test_setup_tells_of_missing_access_that_it_cannot_give(desk: Desk, node: PlainThere) -> None:
    def told() -> list[str]:
        lines = project.setup(PlainSession(desk.directory, node), yes=True)
        return [line.text for line in lines if line.what == "Plain"]

    (node.home / "project").mkdir()
    assert told() == []
    (node.home / "token").unlink()
    assert told() == ["you have no token for Plain"]
    (node.home / "bin" / "plain").unlink()
    assert told() == ["no plain there"]


def test_rules_of_another_platform_are_not_asked_of_this_one(desk: Desk) -> None:
    elsewhere = desk.directory.rename(desk.directory.with_name("elsewhere"))
    desk.directory = elsewhere
    text = COMPOSE.replace("'2'", "'3.8'").replace('LEVEL: "2"', "LEVEL: '${LEVEL:-2}'")
    (elsewhere / "docker-compose.yml").write_text(text)
    _, said = desk.exits(prepare.check, json=True)
    assert [one["rule"] for one in json.loads(said)] == ["variable-form"]


def test_inspect_shows_what_the_platform_has(desk: Desk) -> None:
    desk.types(ship.deploy)
    told = json.loads(desk.types(tasks_status.inspect, service="web"))
    assert told["service"] == "demo/web"
    assert told["rest"]["drop"] == ["ALL"]
