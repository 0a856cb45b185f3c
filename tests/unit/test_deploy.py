"""The way of a deploy above its two seams: order of steps, decisions, what a person reads."""

# ruff: noqa: E501 - a table reads best with a case a line

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from invoke.config import Config
from invoke.context import Context

from spinstack import deploy, probe
from spinstack.engine import Engine
from spinstack.errors import SpinstackError
from spinstack.login_node import LoginNode, RecordingLoginNode
from spinstack.probe import Answer
from spinstack.runner import RecordingRunner, Result, Runner
from spinstack.session import Session

Answers = dict[str, "tuple[str, int] | list[tuple[str, int]]"]

COMPOSE = """\
version: '2'
services:
  web:
    image: ${WEB_IMAGE}
    ports: ["60037:8080"]
    user: ${UID}:58102
    cap_drop: [ALL]
    volumes: ["./web/nginx.conf:/etc/nginx/nginx.conf:ro"]
"""


def ps(state: str = "active", health: str = "healthy", **more: Any) -> str:
    service = {
        "state": state,
        "healthState": health,
        "publicEndpoints": [{"ipAddress": "10.9.8.7", "port": 60037}],
        **more,
    }
    return json.dumps({"Service": service, "Name": "demo/web"}) + "\n"


class TestSession(Session):
    """A session whose programs and login node only answer what was announced."""

    __test__ = False

    def __init__(self, directory: Path, answers: Answers) -> None:
        super().__init__(Context(Config(overrides=SETTINGS)), None)
        self.__dict__["directory"] = directory
        self.node = RecordingLoginNode(answers)
        self.programs = RecordingRunner(
            {
                "docker image inspect": Result("", "No such image", 1),
                "docker image build": Result("built\n"),
                "docker image push": Result("digest: sha256:" + "0" * 64),
                "git -C": Result("", "not a git repository", 128),
            }
        )
        self.__dict__["engine"] = Engine("docker")

    @property
    def runner(self) -> Runner:  # type: ignore[override]
        return self.programs

    @contextmanager
    def login_node(self) -> Iterator[LoginNode]:
        yield self.node


SETTINGS = {
    "spinstack": {
        "stack": "demo",
        "destination": "dev",
        "user": "alice",
        "namespace": "alice",
        "address": "endpoint",
        "project_dir": "/global/cfs/cdirs/desi/demo",
        "destinations": {"dev": {"environment": "dev-cattle"}},
    }
}

FOUND: Answers = {
    "uid": ("41037\n", 0),
    "rancher environment": ("", 0),
    "rancher key": ("", 0),
    "current release": ("", 1),
    "states": ("", 0),
    "unfinished": ("", 1),
    "lock": ("", 0),
    "unlock": ("", 0),
    "lock still ours": ("", 0),
    "upload": ("", 0),
    "note the release": ("", 0),
    "note the upgrade": ("", 0),
    "forget the upgrade": ("", 0),
    "enter the release": ("", 0),
    "render": ("version: '2'\n", 0),
    "up": ("", 0),
    "upgrade": ("", 0),
    "watch": (ps() + "round", 0),
    "confirm": ("", 0),
    "mark as current": ("", 0),
    "logs of web": ("nginx: [emerg] host not found in upstream\n", 0),
    "roll back web": ("", 0),
}


def ended(session: TestSession) -> list[str]:
    """The last steps on the login node."""
    return [step for step in session.node.steps if step != "rancher environment"][-4:]


WELL = (ps() + "round", 0)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "docker-compose.yml").write_text(COMPOSE.replace("${WEB_IMAGE}", IMAGE))
    (tmp_path / "stack.env").write_text("")
    (tmp_path / "web").mkdir()
    (tmp_path / "web" / "nginx.conf").write_text("server { listen 8080; }\n")
    return tmp_path


IMAGE = "registry.spin.nersc.gov/alice/nginx-demo:1.0"


@pytest.fixture(autouse=True)
def site(monkeypatch: pytest.MonkeyPatch) -> list[Answer]:
    """What the site answers, instead of a network."""
    answers = [Answer(200, "OK")]
    monkeypatch.setattr(probe, "until_ok", lambda url, **_: answers[0])
    return answers


def test_a_first_deploy_starts_the_stack_and_tells_its_address(directory: Path) -> None:
    session = TestSession(directory, FOUND)
    assert deploy.deploy(session) == "http://10.9.8.7:60037/"
    plumbing = ("rancher environment", "uid", "enter the release", "lock still ours")
    assert [step for step in session.node.steps if step not in plumbing] == [
        *("lock", "current release", "unfinished", "rancher key", "states"),
        *("upload", "note the release", "render", "note the upgrade", "up", "watch"),
        *("confirm", "mark as current", "forget the upgrade", "unlock"),
    ]


def test_a_stack_that_runs_is_upgraded(directory: Path) -> None:
    session = TestSession(directory, {**FOUND, "states": (ps(), 0)})
    deploy.deploy(session)
    assert "upgrade" in session.node.steps
    assert "up" not in session.node.steps


def test_the_same_files_are_not_uploaded_again(directory: Path) -> None:
    first = TestSession(directory, FOUND)
    deploy.deploy(first)
    sent = next(text for text in first.node.sent if "base64" in text)
    release = next(word for word in sent.split("/") if word.count("-") == 2 and word[:2] == "20")
    release = release.split(".")[0].split("\n")[0]
    second = TestSession(
        directory, {**FOUND, "current release": (f"releases/{release}\n", 0), "states": (ps(), 0)}
    )
    deploy.deploy(second)
    assert "upload" not in second.node.steps


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ({"watch": [(ps("upgraded", "unhealthy") + "round\n", 0), WELL]}, "did not get healthy within 300 s"),
        ({"watch": [((ps("upgraded", "unhealthy") + "round\n") * 4, 0), WELL]}, "web failed the health check"),
        (
            {"watch": [(ps("upgrading", "", transitioning="error", transitioningMessage="pull access denied") + "round", 0), WELL]},
            "web failed: pull access denied",
        ),
        ({"upgrade": ('time="x" level=error msg="no such service"\n', 0)}, "did not upgrade demo"),
    ],
)  # fmt: skip
def test_a_failed_upgrade_is_taken_back_and_explained(
    directory: Path, answers: Answers, said: str
) -> None:
    states = [(ps(), 0), (ps("upgraded", "unhealthy"), 0)]
    session = TestSession(directory, {**FOUND, "states": states, **answers})
    with pytest.raises(SpinstackError) as error:
        deploy.deploy(session)
    assert said in error.value.what
    assert error.value.now == "the version before runs again"
    assert ended(session) == ["roll back web", "forget the upgrade", "watch", "unlock"]
    if "watch" in answers:
        assert "nginx: [emerg] host not found" in error.value.details


def test_a_version_before_that_does_not_get_well_is_told(directory: Path) -> None:
    ill = (ps("upgraded", "unhealthy") + "round\n") * 4
    states = [(ps(), 0), (ps("upgraded", "unhealthy"), 0)]
    session = TestSession(directory, {**FOUND, "states": states, "watch": (ill, 0)})
    with pytest.raises(SpinstackError) as error:
        deploy.deploy(session)
    assert error.value.now == ("the version before was started again, but is not well")


def test_healthy_services_with_a_broken_site_are_taken_back(
    directory: Path, site: list[Answer]
) -> None:
    site[0] = Answer(500, "INTERNAL SERVER ERROR")
    states = [(ps(), 0), (ps("upgraded"), 0)]
    session = TestSession(directory, {**FOUND, "states": states})
    with pytest.raises(SpinstackError, match="does not answer as it should") as error:
        deploy.deploy(session)
    assert "500 INTERNAL SERVER ERROR" in error.value.where
    assert ended(session) == ["roll back web", "forget the upgrade", "watch", "unlock"]


def test_a_site_out_of_reach_is_asked_from_the_login_node(
    directory: Path, site: list[Answer]
) -> None:
    site[0] = Answer(0, "timed out")
    session = TestSession(directory, {**FOUND, "ask the site": ("200", 0)})
    assert deploy.deploy(session) == "http://10.9.8.7:60037/"
    broken = TestSession(directory, {**FOUND, "ask the site": ("curl: (7) refused\n000", 7)})
    with pytest.raises(SpinstackError, match="does not answer"):
        deploy.deploy(broken)


def test_ctrl_c_after_the_upgrade_began_brings_the_old_containers_back(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> Answer:
        raise KeyboardInterrupt

    monkeypatch.setattr(probe, "until_ok", interrupted)
    session = TestSession(directory, {**FOUND, "states": [(ps(), 0), (ps("upgraded"), 0)]})
    with pytest.raises(SpinstackError, match=r"stopped by Ctrl-C"):
        deploy.deploy(session)
    assert ended(session) == ["roll back web", "forget the upgrade", "watch", "unlock"]


def test_an_upgrade_that_somebody_left_is_not_touched(directory: Path) -> None:
    session = TestSession(directory, {**FOUND, "states": (ps("upgraded"), 0)})
    with pytest.raises(SpinstackError, match="left unfinished"):
        deploy.deploy(session)
    assert "upload" not in session.node.steps


def test_what_rancher_refuses_to_upgrade_is_stopped_first(directory: Path) -> None:
    stuck = (ps("activating", "", transitioning="error"), 0)
    answers = {**FOUND, "states": stuck, "stop": ("", 0), "wait": ("", 0)}
    session = TestSession(directory, answers)
    deploy.deploy(session)
    steps = session.node.steps
    assert steps.index("stop") < steps.index("wait") < steps.index("upgrade")


def test_a_variable_that_is_not_set_ends_the_deploy_before_anything_runs(directory: Path) -> None:
    warning = 'time="x" level=warning msg="The UID variable is not set."\n'
    session = TestSession(directory, {**FOUND, "render": (warning, 0)})
    with pytest.raises(SpinstackError) as error:
        deploy.deploy(session)
    assert "UID" in error.value.details
    assert ended(session)[-2:] == ["render", "unlock"]


def test_a_full_disk_is_named(directory: Path) -> None:
    output = "tar: ./app: Cannot write: No space left on device\n"
    session = TestSession(directory, {**FOUND, "upload": (output, 2)})
    with pytest.raises(SpinstackError) as error:
        deploy.deploy(session)
    assert "the file system is full" in error.value.remedy


def test_findings_end_the_deploy_before_anything_is_built(directory: Path) -> None:
    (directory / "docker-compose.yml").write_text(COMPOSE.replace("${WEB_IMAGE}", "nginx:latest"))
    session = TestSession(directory, {})
    with pytest.raises(SpinstackError) as error:
        deploy.deploy(session)
    assert "image-tag" in error.value.details
    assert not session.programs.calls
    assert not session.node.steps
