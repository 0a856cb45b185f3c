"""`invoke check` as a person and as a script see it, in processes of their own."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from invoke.exceptions import Exit

from spinstack.checks import image_state
from spinstack.errors import SpinstackError
from spinstack.images.engine import Engine
from spinstack.rules.service import Service
from spinstack.tasks import prepare
from spinstack.transport.login_node import LoginNode
from spinstack.transport.runner import RecordingRunner, Result
from tests.baking import REPOSITORY, bake
from tests.unit.stack_session import StackSession, run
from tests.unit.stack_session import baked as baked_stack
from tests.unit.test_check_laptop import COMPOSE, ENV, replaced
from tests.unit.test_check_there import made

__all__ = ["made"]


@pytest.fixture(scope="module")
def baked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As cookiecutter makes it without a question asked."""
    return bake(tmp_path_factory.mktemp("baked"))


@pytest.fixture
def directory(baked: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(baked, tmp_path / baked.name))


def invoke(directory: Path, *words: str) -> subprocess.CompletedProcess[str]:
    # No engine on the path: what needs one is silent.
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "PATH": "/nowhere"}
    return subprocess.run(
        [sys.executable, "-m", "invoke", *words],
        cwd=directory,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_the_default_stack_is_clean_before_there_is_a_rehearsal(directory: Path) -> None:
    done = invoke(directory, "check")
    assert done.returncode == 0, done
    assert done.stdout == "nightwatch-desi at rehearsal: 0 errors, 0 warnings\n"
    assert "invoke rehearsal.start" in done.stderr


def test_findings_are_told_to_people_and_to_scripts(directory: Path) -> None:
    line = replaced(directory / COMPOSE, "    read_only: true", "    healthcheck: {}")
    replaced(directory / COMPOSE, ":/app/data:ro", ":/app/data")
    person = invoke(directory, "check")
    assert person.returncode == 1
    assert (
        "Rancher does not know the key 'healthcheck' of the service app [compose-key]"
        in person.stdout
    )
    assert f"  where: {COMPOSE}:{line}\n" in person.stdout
    assert person.stdout.endswith("1 error, 1 warning\n")
    script = invoke(directory, "check", "--json")
    assert script.returncode == 1
    first, second = json.loads(script.stdout)
    assert set(first) == {"rule", "where", "problem", "remedy", "severity"}
    assert (first["rule"], first["severity"]) == ("compose-key", "error")
    assert (second["rule"], second["severity"]) == ("mount-writable", "warning")


def test_fix_says_what_it_did_and_does_it_once(directory: Path) -> None:
    line = replaced(directory / ENV, "WEB_PORT=60037", "WEB_PORT='60037'")
    dry = invoke(directory, "--dry", "check", "--fix")
    assert f"would fix {ENV}:{line}" in dry.stderr
    assert "'60037'" in (directory / ENV).read_text()
    first = invoke(directory, "check", "--fix")
    assert first.returncode == 0, first
    assert f"fixed {ENV}:{line}: the value of WEB_PORT has spaces or quotes" in first.stderr
    second = invoke(directory, "check", "--fix")
    assert second.returncode == 0 and "fixed" not in second.stderr


def test_a_rule_explains_itself(directory: Path) -> None:
    done = invoke(directory, "check", "--explain", "mount-walk")
    assert done.returncode == 0
    assert "why:" in done.stdout and "source: docs.nersc.gov" in done.stdout
    whole = invoke(directory, "check", "--explain", "all", "--json")
    assert {"id", "about", "reason", "source", "fix"} == set(json.loads(whole.stdout)[0])
    wrong = invoke(directory, "check", "--explain", "mount-wakl")
    assert wrong.returncode == 2
    assert "did you mean mount-walk" in wrong.stderr and "Traceback" not in wrong.stderr


def test_a_broken_file_is_a_finding(directory: Path) -> None:
    (directory / COMPOSE).write_text("services: [\n")
    done = invoke(directory, "check")
    assert done.returncode == 1 and "[yaml]" in done.stdout, done
    assert "Traceback" not in done.stderr


REFERENCE = "registry.nersc.gov/a/app:1"


def images(
    made: tuple[object, object], image: str, answer: Result, ask: bool = False
) -> list[tuple[str, str]]:
    """The rules that two services with one image break, with the commands that are advised; each
    is told for both."""
    destination, stack = made
    runner = RecordingRunner({"docker image inspect": answer})
    found = image_state.findings(
        runner,
        Engine("docker"),
        [Service("app", image), Service("worker", image)],
        stack,
        destination,
        ask_registries=ask,  # type: ignore[arg-type]
    )
    assert runner.calls == [f"docker image inspect {image}"]
    told = [(one.rule, "".join(re.findall("`(.*)`", one.remedy))) for one in found]
    assert told[::2] == told[1::2]
    return told[::2]


def test_images_for_another_platform(made: tuple[object, object]) -> None:
    there = '[{"Id": "sha256:1", "Os": "linux", "Architecture": "%s"}]'
    assert images(made, REFERENCE, Result(there % "amd64")) == []
    arm = Result(there % "arm64")
    built = "invoke build --force --to dev"
    assert images(made, REFERENCE, arm) == [("image-platform", built)]
    pull = "docker pull --platform linux/amd64 docker.io/nginx:1.28"
    assert images(made, "docker.io/nginx:1.28", arm) == [("image-platform", pull)]


@pytest.mark.parametrize("said", ["WARNING: surprise", "[{}]", "[]", "{}"])
def test_an_engine_that_makes_no_sense_hides_no_other_finding(
    made: tuple[object, object], said: str
) -> None:
    assert images(made, "docker.io/nginx:1.28", Result(said), ask=True) == []


def test_an_image_of_the_stack_that_is_not_built_is_nothing_to_tell(
    made: tuple[object, object],
) -> None:
    assert images(made, REFERENCE, Result("", "No such image", 1), ask=True) == []


def test_an_image_that_nobody_has(
    made: tuple[object, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    nowhere = Result("", "No such image", 1)
    monkeypatch.setattr("spinstack.images.registry.manifest", lambda image, login: None)
    for image, login in (
        ("docker.io/nginx:1.28", "docker login docker.io"),
        ("registry.example.org/a/other:1", "docker login registry.example.org"),
        ("registry.nersc.gov/a/other:1", "invoke registry.login --to dev"),
    ):
        assert images(made, image, nowhere, ask=True) == [("image-missing", login)]
    assert images(made, "docker.io/nginx:1.28", nowhere) == [], "on the laptop alone no registry"


def test_with_the_placeholder_for_a_name_nobody_is_asked_for_a_password(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stack = baked_stack(tmp_path, nersc_user="your-nersc-name")
    settings = stack / "invoke.yaml"
    settings.write_text(settings.read_text().replace("destination: rehearsal", "destination: dev"))
    # Without --to nobody expects a login.
    for to in ("dev", None):
        session = StackSession(stack, {"": Result()}, to=to)
        session.login_node = lambda: pytest.fail("a login was tried")  # type: ignore[assignment, method-assign]
        with pytest.raises(Exit):
            run(prepare.check, session)
        told = capsys.readouterr()
        assert "is only a placeholder" in told.out
        assert ("the login node was not checked" in told.err) is (to == "dev")


def test_what_was_found_here_is_shown_even_if_the_login_fails(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    session = StackSession(baked_stack(tmp_path), {"": Result()})
    replaced(session.directory / COMPOSE, "    read_only: true", "    healthcheck: {}")
    session.login_node = refused_login  # type: ignore[method-assign]
    with pytest.raises(SpinstackError, match="no route"):
        run(prepare.check, session, to="dev")
    assert "[compose-key]" in capsys.readouterr().out


def refused_login() -> LoginNode:
    raise SpinstackError("no route to the login node")
