"""What is installed, what is only asked for, and which engine is taken."""

from __future__ import annotations

from pathlib import Path

import pytest

from spinstack.errors import SpinstackError
from spinstack.rehearsal import engine_setup, packages
from spinstack.runner import RecordingRunner, Result


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
def test_the_first_engine_that_answers_is_taken(
    monkeypatch: pytest.MonkeyPatch, answering: str
) -> None:
    monkeypatch.setattr(packages, "find_program", lambda name: f"/usr/bin/{name}")
    answers: dict[str, Result | list[Result]] = {
        f"{name} info": Result(code=0 if name == answering else 1) for name in ("docker", "podman")
    }
    assert engine_setup.ensure_engine(RecordingRunner(answers), _quiet) == answering


def test_without_engine_and_root_one_sentence_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(packages, "find_program", lambda name: None)
    monkeypatch.setattr(packages, "can_install", lambda: False)
    with pytest.raises(SpinstackError, match="no container engine") as failure:
        engine_setup.ensure_engine(RecordingRunner(), _quiet)
    assert "docker" in failure.value.remedy


def test_an_engine_that_is_there_but_silent_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        packages, "find_program", lambda name: "/usr/bin/podman" if name == "podman" else None
    )
    monkeypatch.setattr(packages, "can_install", lambda: False)
    runner = RecordingRunner({"podman info": Result("", "cannot connect", 1)})
    with pytest.raises(SpinstackError, match="podman is installed"):
        engine_setup.ensure_engine(runner, _quiet)
