"""Which base images the template asks for, and what is done where they can't be had."""

from __future__ import annotations

from pathlib import Path

import pytest

from spin_rehearsal import base_images, debian_images, packages
from spinstack import template
from spinstack.errors import SpinstackError
from spinstack.transport.runner import RecordingRunner, Result

ABSENT = Result("", "no such image", 1)
OFFLINE = Result("", "dial tcp: lookup registry-1.docker.io: no such host", 1)


def _quiet(text: str) -> None:
    pass


def test_the_images_are_read_from_arg_lines_with_a_default() -> None:
    dockerfile = (
        "# ARG OLD_IMAGE=no\n"
        "ARG PYTHON_IMAGE=python:3.12-slim\n"
        'arg NGINX_IMAGE="nginx:1.28"\n'
        "ARG VERSION=3\nARG NOTHING_IMAGE\nFROM ${PYTHON_IMAGE}\n"
    )
    assert base_images.asked_for(dockerfile) == {
        "PYTHON_IMAGE": "python:3.12-slim",
        "NGINX_IMAGE": "nginx:1.28",
    }


def test_every_image_of_the_template_has_an_equivalent() -> None:
    assert base_images.wanted(template.stack()).keys() == debian_images.EQUIVALENTS.keys()


def test_images_that_are_there_need_nothing() -> None:
    runner = RecordingRunner({"docker image inspect": Result()})
    assert base_images.ensure(runner, "docker", _quiet) == {}


def test_images_that_can_be_pulled_need_no_arguments() -> None:
    runner = RecordingRunner({"docker image inspect": ABSENT, "docker pull": Result()})
    assert base_images.ensure(runner, "docker", _quiet) == {}


def test_one_failed_pull_is_enough_to_make_equivalents(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "ensure_packages", lambda *args: None)
    runner = RecordingRunner(
        {
            "docker image inspect": ABSENT,
            "docker pull": OFFLINE,
            "mmdebstrap": Result(),
            "docker import": Result(),
        }
    )
    arguments = base_images.ensure(runner, "docker", _quiet)
    assert arguments == {name: e.name for name, e in debian_images.EQUIVALENTS.items()}
    assert sum(call.startswith("docker pull") for call in runner.calls) == 1
    assert all(name.startswith("spinstack/") for name in arguments.values())


def test_without_registry_and_root_one_sentence_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(packages, "can_install", lambda: False)
    monkeypatch.setattr(packages, "_is_there", lambda item: False)
    runner = RecordingRunner({"docker image inspect": ABSENT, "docker pull": OFFLINE})
    with pytest.raises(SpinstackError) as failure:
        base_images.ensure(runner, "docker", _quiet)
    assert "can't be pulled" in failure.value.what
    assert "mmdebstrap" in failure.value.remedy


def test_a_wheel_brings_the_template(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    package = tmp_path / "spinstack"
    (package / "_template" / template.STACK_DIRECTORY).mkdir(parents=True)
    (package / "_template" / "cookiecutter.json").touch()
    monkeypatch.setattr(template, "__file__", str(package / "template" / "__init__.py"))
    assert template.path() == package / "_template"
    (package / "_template" / "cookiecutter.json").unlink()
    with pytest.raises(SpinstackError, match="template"):
        template.path()
