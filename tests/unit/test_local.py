"""The stack on this machine above the seam: what runs, what a person reads."""

# ruff: noqa: E501 - a table reads best with a case a line

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from spinstack.errors import SpinstackError
from spinstack.images import compose_program
from spinstack.images.engine import Engine
from spinstack.local import stack, up
from spinstack.tasks import local
from spinstack.transport import probe
from spinstack.transport.probe import Answer
from spinstack.transport.runner import RecordingRunner, Result
from tests.unit.stack_session import StackSession, baked, run

LIST = "docker ps --all --quiet --filter label=com.docker.compose.project=spinstack-nightwatch-desi"
NO_PLUGIN = Result("", "docker: unknown command: docker compose", 1)
OLD = Result("docker-compose version 1.29.2, build unknown\ndocker-py version: 5.0.3\n")


def containers(**states: str) -> Result:
    return Result(json.dumps([container(name, state) for name, state in states.items()]))


def container(service: str, state: str) -> dict[str, Any]:
    published = [{"HostIp": "127.0.0.1", "HostPort": "60037"}] if service == "web" else None
    return {
        "Name": f"/spinstack-nightwatch-desi_{service}_1",
        "State": {"Status": state, "ExitCode": 3, "StartedAt": "2026-01-02T03:04:05.6Z",
                  "FinishedAt": "2026-01-02T03:05:00.1Z"},
        "Config": {"Image": f"r/{service}:1", "Labels": {"com.docker.compose.service": service}},
        "NetworkSettings": {"Ports": {"8080/tcp": published}},
    }  # fmt: skip


ANSWERS: dict[str, Result | list[Result]] = {
    "docker compose version": NO_PLUGIN,
    "docker-compose version": OLD,
    "docker image inspect": Result("", "No such image", 1),
    "docker image build": Result("built\n"),
    "docker-compose -p spinstack-nightwatch-desi": Result("Starting\n"),
    LIST: Result("aa bb\n"),
    "docker inspect aa bb": containers(app="running", web="running"),
}


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StackSession:
    monkeypatch.setattr("spinstack.deploy.images.build", lambda session: None)
    monkeypatch.setattr("spinstack.local.mounts.prepare", lambda *_: None)
    monkeypatch.setattr(probe, "ask", lambda url: Answer(200, "OK"))
    return StackSession(baked(tmp_path), dict(ANSWERS))


def test_up_starts_it_and_tells_the_address(
    session: StackSession, capsys: pytest.CaptureFixture[str]
) -> None:
    run(local.up, session)
    out, err = capsys.readouterr()
    assert out.splitlines()[-1] == "http://127.0.0.1:60037/"
    assert "replaced by sample data: DATA_DIR" in err
    file = Path.home() / ".local/state/spinstack/local/nightwatch-desi/compose.yml"
    assert f"docker-compose -p spinstack-nightwatch-desi -f {file} up -d --remove-orphans" in (
        session.programs.calls
    )
    assert file.parent.stat().st_mode & 0o777 == 0o700


def test_up_ends_with_the_log_of_a_container_that_ended(session: StackSession) -> None:
    session.programs.answers["docker inspect aa bb"] = containers(app="exited", web="running")
    file = stack.LocalStack(session).file
    logs = f"docker-compose -p spinstack-nightwatch-desi -f {file} logs --no-color --tail 30 app"
    session.programs.answers[logs] = Result("Attaching to x\nno python application found\n")
    with pytest.raises(SpinstackError) as error:
        up.up(session)
    assert "app (exited with code 3)" in error.value.what
    assert "no python application found" in error.value.details
    assert "Attaching" not in error.value.details


def test_a_container_that_was_made_and_not_started_ends_the_wait(session: StackSession) -> None:
    session.programs.answers["docker inspect aa bb"] = containers(app="created", web="running")
    session.programs.answers["docker-compose -p spinstack-nightwatch-desi"] = Result(
        "['podman', '--version', '']\nError: setting rlimits: not permitted\nexit code: 125\n"
    )
    with pytest.raises(SpinstackError, match="did not start app") as error:
        up.up(session)
    assert error.value.details == "Error: setting rlimits: not permitted"


def test_podman_without_root_runs_as_the_person(
    session: StackSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1234)
    session.__dict__["engine"] = Engine("podman", is_podman=True)
    services = stack.LocalStack(session).derived().data["services"]
    assert {service["userns_mode"] for service in services.values()} == {"keep-id"}
    assert {service["user"] for service in services.values()} == {"1234:58102"}


@pytest.mark.parametrize(
    ("printed", "said"),
    [
        (
            "listen tcp4 127.0.0.1:60037: bind: address already in use",
            "port of the stack is already in use",
        ),
        ("Unsupported config option for services.app: 'x'", "does not understand a key"),
        ("ERROR: pull access denied for a/b, repository does not exist", "can't be pulled"),
        ("something new", "could not start"),
    ],
)
def test_a_failed_start_is_explained(session: StackSession, printed: str, said: str) -> None:
    session.programs.answers["docker-compose -p"] = Result(printed, "", 1)
    del session.programs.answers["docker-compose -p spinstack-nightwatch-desi"]
    with pytest.raises(SpinstackError, match=said) as error:
        up.up(session)
    assert printed in error.value.details


def test_a_stack_that_would_not_work_is_not_started(session: StackSession) -> None:
    env = session.directory / "stack.env"
    env.write_text(env.read_text().replace("GROUP_ID=58102", ""))
    with pytest.raises(SpinstackError) as error:
        up.up(session)
    assert "variable-unset" in error.value.details
    assert not session.programs.calls


def test_dry_shows_all_and_does_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    session = StackSession(baked(tmp_path), {"docker": Result()}, dry=True)
    run(local.up, session)
    out = capsys.readouterr().out
    assert "127.0.0.1:60037:8080" in out
    assert "$ GET http://127.0.0.1:60037/" in out
    assert any(" up -d" in call for call in session.programs.calls)
    assert not (Path.home() / ".local").exists()
    assert not (Path.home() / ".cache").exists()


def test_status_tells_services_and_address(
    session: StackSession, capsys: pytest.CaptureFixture[str]
) -> None:
    run(local.status, session)
    shown = capsys.readouterr().out
    assert "web      running  2026-01-02T03:04:05Z  web:1" in shown
    assert "address: http://127.0.0.1:60037/ (200)" in shown
    run(local.status, session, json=True)
    told = json.loads(capsys.readouterr().out)
    assert told["url"] == "http://127.0.0.1:60037/"
    assert [service["state"] for service in told["services"]] == ["running", "running"]


def test_what_does_not_run_here_is_said(session: StackSession) -> None:
    session.programs.answers[LIST] = Result("")
    for task in (local.status, local.logs):
        with pytest.raises(SpinstackError, match="is not running on this machine"):
            run(task, session)
    run(local.down, session)
    assert not any(" down" in call for call in session.programs.calls)


def test_down_removes_containers_and_asks_before_data_go(session: StackSession) -> None:
    here = stack.LocalStack(session)
    here.cache.mkdir(parents=True)
    here.file.parent.mkdir(parents=True)
    here.file.write_text("services: {}\n")
    run(local.down, session)
    assert session.programs.calls[-1].endswith("down --remove-orphans")
    with pytest.raises(SpinstackError, match="pages made in it are lost"):
        run(local.down, session, data=True)
    run(local.down, session, data=True, yes=True)
    assert session.programs.calls[-1].endswith("down --remove-orphans --volumes")
    assert not here.cache.exists()
    assert not here.file.exists()


@pytest.mark.parametrize(
    ("podman", "answers", "name", "version"),
    [
        (False, {"docker compose version": Result("Docker Compose version v2.24.5\n")}, "docker compose", "2.24.5"),
        (False, {"docker compose version": NO_PLUGIN, "docker-compose version": OLD}, "docker-compose", "1.29.2"),
        (True, {"podman compose version": Result("", "unknown", 125),
                "podman-compose version": Result("podman-compose version: 1.0.3\nusing podman version: 4.3.1\n")},
         "podman-compose", "1.0.3"),
        (True, {"podman compose version": Result("podman-compose version 1.0.6\n", ">>>> Executing external compose provider\n")},
         "podman compose", "1.0.6"),
    ],
)  # fmt: skip
def test_the_compose_program_that_answers_is_found(
    podman: bool, answers: dict[str, Any], name: str, version: str
) -> None:
    engine = Engine("podman" if podman else "docker", is_podman=podman)
    found = compose_program.find(RecordingRunner(answers), engine)
    assert (found.name, found.version) == (name, version)
    assert ("--no-color" in found.plain_logs) is not podman


def test_without_compose_a_sentence_says_how_to_get_it() -> None:
    none = {"docker compose version": NO_PLUGIN, "docker-compose version": Result("", "", 127)}
    with pytest.raises(SpinstackError) as error:
        compose_program.find(RecordingRunner(none), Engine("docker"))  # type: ignore[arg-type]
    assert "apt install docker-compose" in error.value.remedy
