"""Building an image: what is asked of the engine, and when nothing is."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from spinstack.errors import SpinstackError
from spinstack.images.build import build
from spinstack.images.engine import Engine
from spinstack.images.lookup import locals_of
from spinstack.images.tag import ImageSpec, content_tag, reference
from spinstack.transport.command import Command
from spinstack.transport.runner import PrintingRunner, RecordingRunner, Result

DOCKER = Engine("docker")


@pytest.fixture
def spec(tmp_path: Path) -> ImageSpec:
    (tmp_path / "Dockerfile").write_text("ARG BASE=scratch\nFROM ${BASE}\nCOPY . /\n")
    return ImageSpec("app", tmp_path, "app", {"BASE": "two words", "OTHER": "x"})


def named(spec: ImageSpec) -> str:
    return reference(spec, "127.0.0.1:5000", "demo")


def inspected(spec: ImageSpec, content: str | None = None, architecture: str = "amd64") -> Result:
    labels = {"spinstack.content": content or content_tag(spec)}
    image = {
        "Id": "sha256:abc",
        "Os": "linux",
        "Architecture": architecture,
        "Config": {"Labels": labels},
        "RepoDigests": [],
    }
    return Result(json.dumps([image]))


def absent() -> Result:
    return Result("[]", "Error: No such image", 1)


def answering(inspect: list[Result], build: Result | None = None) -> RecordingRunner:
    return RecordingRunner(
        {
            "docker image inspect": list(inspect),
            "docker image build": build or Result("Step 1/2 : FROM scratch\n"),
            "docker image rm": Result(),
        }
    )


def test_builds_what_is_not_there(spec: ImageSpec) -> None:
    runner = answering([absent(), inspected(spec)])
    lines: list[str] = []
    outcome = build(runner, DOCKER, spec, named(spec), on_line=lines.append)
    assert (outcome.built, outcome.image_id, outcome.reference) == (True, "sha256:abc", named(spec))
    assert runner.calls[1] == (
        "docker image build --force-rm --platform linux/amd64 --build-arg 'BASE=two words' "
        f"--label spinstack.content={content_tag(spec)} --tag {named(spec)} "
        f"--file {spec.context}/Dockerfile {spec.context}"
    )
    assert lines == ["Step 1/2 : FROM scratch"]


def test_does_nothing_when_the_image_is_there(spec: ImageSpec) -> None:
    runner = answering([inspected(spec)])
    assert build(runner, DOCKER, spec, named(spec)).built is False
    assert runner.calls == [f"docker image inspect {named(spec)}"]


@pytest.mark.parametrize("there", ["other content", "other platform", "forced"])
def test_builds_again_when_the_image_is_another_one(spec: ImageSpec, there: str) -> None:
    first = {
        "other content": [inspected(spec, "c-000000000000")],
        "other platform": [inspected(spec, architecture="arm64")],
        "forced": [],
    }[there]
    runner = answering([*first, inspected(spec)])
    assert build(runner, DOCKER, spec, named(spec), force=there == "forced").built is True


def test_a_failed_build_shows_its_last_lines_and_the_cause(spec: ImageSpec) -> None:
    said = "Step 1/2\nCOPY failed: file not found in build context: stat x"
    runner = answering([absent()], Result("", said, 1))
    with pytest.raises(SpinstackError, match="copies a file") as caught:
        build(runner, DOCKER, spec, named(spec))
    assert caught.value.details == said
    assert "Dockerfile" in caught.value.where


def test_an_image_for_another_processor_does_not_keep_the_name(spec: ImageSpec) -> None:
    arm = replace(spec, platform="linux/arm64/v8")
    runner = answering([absent(), inspected(arm)])
    with pytest.raises(SpinstackError, match="for linux/amd64 instead of linux/arm64/v8"):
        build(runner, DOCKER, arm, named(arm))
    assert runner.calls[-1] == f"docker image rm {named(arm)}"


def test_a_variant_of_a_processor_is_that_processor(spec: ImageSpec) -> None:
    arm = replace(spec, platform="linux/arm64/v8")
    runner = answering([inspected(arm, architecture="arm64")])
    assert build(runner, DOCKER, arm, named(arm)).built is False


def test_an_image_that_a_builder_keeps_for_itself_is_told(spec: ImageSpec) -> None:
    with pytest.raises(SpinstackError, match="the image is missing"):
        build(answering([absent(), absent()]), DOCKER, spec, named(spec))


@dataclass
class Saving(RecordingRunner):
    """Somebody saves a file while the engine builds."""

    file: Path = field(default_factory=Path)

    def run(self, command: Command, **options: object) -> Result:
        if "build" in command.shown():
            self.file.write_text("changed")
        return super().run(command, **options)  # type: ignore[arg-type]


def test_files_that_change_during_the_build_do_not_get_the_tag(spec: ImageSpec) -> None:
    answers = answering([absent(), inspected(spec)]).answers
    runner = Saving(answers, file=spec.context / "app.py")
    with pytest.raises(SpinstackError, match="changed while"):
        build(runner, DOCKER, spec, named(spec))
    assert runner.calls[-1].startswith("docker image rm")


def test_a_dry_run_shows_the_build_and_does_nothing(spec: ImageSpec) -> None:
    shown: list[str] = []
    outcome = build(PrintingRunner(shown.append), DOCKER, spec, named(spec))
    assert outcome.built
    assert [line.split()[1:4] for line in shown] == [
        ["docker", "image", "inspect"],
        ["docker", "image", "build"],
    ]


def test_an_answer_that_makes_no_sense_is_told(spec: ImageSpec) -> None:
    with pytest.raises(SpinstackError, match="unexpected output from"):
        build(answering([Result("WARNING: surprise")]), DOCKER, spec, named(spec))


def test_images_are_found_by_their_names_in_one_answer() -> None:
    """In whatever order; docker.io is not told, and what is missing is not there."""
    here, hub, missing = "127.0.0.1:5000/demo/a:c-1", "docker.io/demo/b:c-2", "x.org/demo/c:c-3"
    told = {"Os": "linux", "Architecture": "amd64"}
    answer = [
        {**told, "Id": "sha256:b", "RepoTags": ["demo/b:c-2"]},
        {**told, "Id": "sha256:a", "RepoTags": ["other:1", here]},
    ]
    runner = RecordingRunner(
        {"docker image inspect": Result(json.dumps(answer), "No such image: x.org/demo/c:c-3", 1)}
    )
    found = locals_of(runner, DOCKER, [here, hub, missing])
    assert {name: image.id for name, image in found.items()} == {here: "a", hub: "b"}
    assert len(runner.calls) == 1
