"""What is installed, what is only asked for, and which engine is taken."""

from __future__ import annotations

import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from spin_rehearsal import engine_setup, packages
from spinstack.errors import SpinstackError
from spinstack.transport.runner import RecordingRunner, Result


def _quiet(text: str) -> None:
    pass


def test_what_is_there_is_not_installed() -> None:
    packages.ensure_packages(RecordingRunner(), _quiet, {"sh": "dash", "/etc/passwd": "base"})


def test_without_root_one_sentence_names_the_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "can_install", lambda: False)
    with pytest.raises(SpinstackError) as failure:
        packages.ensure_packages(RecordingRunner(), _quiet, {"no-such-program": "some-package"})
    assert "apt-get install some-package" in failure.value.remedy


def test_package_lists_are_fetched_only_after_a_failure(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    policy = tmp_path / "policy-rc.d"
    monkeypatch.setattr(packages, "POLICY", policy)
    missing = Result("", "E: Unable to locate package x", 100)
    runner = RecordingRunner(
        {"apt-get -q install": [missing, Result()], "apt-get -q update": Result()}
    )
    packages.install(runner, ["x"])
    assert [call.split()[2] for call in runner.calls] == ["install", "update", "install"]
    assert not policy.exists()


def test_a_failed_installation_shows_apts_own_words(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(packages, "POLICY", tmp_path / "policy-rc.d")
    runner = RecordingRunner({"apt-get": Result("", "E: disk full", 100)})
    with pytest.raises(SpinstackError) as failure:
        packages.install(runner, ["x"])
    assert failure.value.details == "E: disk full"


@pytest.mark.parametrize("answering", ["docker", "podman"])
def test_the_first_engine_that_answers_is_taken(answering: str) -> None:
    answers: dict[str, Result | list[Result]] = {
        f"{name} version": Result("{}", code=0 if name == answering else 1)
        for name in ("docker", "podman")
    }
    assert engine_setup.ensure_engine(RecordingRunner(answers), _quiet) == answering


def test_without_root_one_sentence_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    runner = RecordingRunner({"docker version": Result("", "permission denied", 1)})
    runner.answers["podman version"] = Result("", "cannot connect", 1)
    with pytest.raises(SpinstackError, match="may not use it"):
        engine_setup.ensure_engine(runner, _quiet)


def test_as_root_docker_is_installed_and_started(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setattr(packages, "can_install", lambda: True)
    monkeypatch.setattr(packages, "POLICY", tmp_path / "policy-rc.d")
    monkeypatch.setattr(packages, "_is_there", lambda program: True)
    monkeypatch.setattr(packages, "find_program", lambda program: None)
    monkeypatch.setattr(engine_setup, "_spawn_dockerd", lambda: None)
    clock = SimpleNamespace(monotonic=time.monotonic, sleep=lambda seconds: None)
    monkeypatch.setattr(engine_setup, "time", clock)
    silent = Result("", "not there", 1)
    runner = RecordingRunner(
        {
            "docker version": [silent, silent, Result("{}")],
            "podman version": silent,
            "apt-get -q install": Result(),
            "systemctl start docker": Result(),
        }
    )
    said: list[str] = []
    assert engine_setup.ensure_engine(runner, said.append) == "docker"
    assert any("installing docker.io" in line for line in said)
    assert any("docker.io" in call for call in runner.calls)
