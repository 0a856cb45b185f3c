"""Building the images of a stack, each only if it does not exist yet."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from spinstack.errors import SpinstackError
from spinstack.images.engine import Engine
from spinstack.images.errors import BUILD, explained, is_chatter
from spinstack.images.lookup import LOOK_WITHIN, Local, local
from spinstack.images.tag import CONTENT_LABEL, ImageSpec, content_tag
from spinstack.transport.command import Command
from spinstack.transport.runner import Result, Runner

OnLine = Callable[[str], None]

# BuildKit may wrap the image into an index with attestations; a plain manifest is what every
# registry and engine reads. Builders that don't know this variable ignore it.
_BUILD_ENVIRONMENT = {"BUILDX_NO_DEFAULT_ATTESTATIONS": "1"}

# Seconds until a build counts as stuck: compilers and slow lines take their time.
_BUILD_WITHIN = 3600.0


@dataclass(frozen=True)
class BuildOutcome:
    """`built`: whether there was anything to build. `image_id`: `sha256:…`, empty in a dry
    run. `seconds`: how long it took."""

    reference: str
    built: bool
    image_id: str
    seconds: float


def build(
    runner: Runner,
    engine: Engine,
    spec: ImageSpec,
    reference: str,
    *,
    on_line: OnLine | None = None,
    force: bool = False,
) -> BuildOutcome:
    """Build the image of `spec` under the name `reference`, unless the engine has it already.

    It has it if the image of that name carries the content's label and is for the wanted
    platform; `force` builds anyway. `on_line` gets the builder's output as it comes. Raises
    SpinstackError for a failed build, with its last lines as details, and for a context that
    can't be read.
    """
    start = time.monotonic()
    content = content_tag(spec)
    there = None if force else local(runner, engine, reference)
    if there and there.is_of(content, spec.platform):
        return BuildOutcome(reference, False, f"sha256:{there.id}", time.monotonic() - start)
    image = build_anew(runner, engine, spec, reference, content, on_line=on_line)
    identity = f"sha256:{image.id}" if image else ""
    return BuildOutcome(reference, True, identity, time.monotonic() - start)


def build_anew(
    runner: Runner,
    engine: Engine,
    spec: ImageSpec,
    reference: str,
    content: str,
    *,
    on_line: OnLine | None = None,
) -> Local | None:
    """Build the image, even if it exists; None in a dry run. `content`: what it is built from,
    as computed by `content_tag`. Raises as `build`.
    """
    result = runner.run(
        _build_command(engine, spec, reference, content),
        env=_BUILD_ENVIRONMENT,
        timeout=_BUILD_WITHIN,
        on_line=_without_chatter(on_line),
    )
    if not result.ok:
        raise _build_failure(engine, spec, result)
    return None if runner.dry else _proved(runner, engine, spec, reference, content)


def _build_command(engine: Engine, spec: ImageSpec, reference: str, content: str) -> Command:
    """`docker image build`, with no flag that needs BuildKit.

    The classic builder has `--platform` too: Docker 20.10 accepts it without experimental mode
    (tried with 20.10.24; 19.03 did not). `--force-rm` removes the container of a failed step;
    builders that leave none accept it. Podman is asked for Docker's format, since an old engine
    on a node may know no other.
    """
    words = ["image", "build", "--force-rm", "--platform", spec.platform]
    words += ["--format", "docker"] if engine.is_podman else []
    for name, value in spec.used_args().items():
        words += ["--build-arg", f"{name}={value}"]
    words += ["--label", f"{CONTENT_LABEL}={content}", "--tag", reference]
    words += ["--file", str(spec.dockerfile_path), str(spec.context)]
    return engine.command(*words)


def _without_chatter(on_line: OnLine | None) -> OnLine | None:
    if on_line is None:
        return None
    show = on_line

    def shown(line: str) -> None:
        if line.strip() and not is_chatter(line):
            show(line)

    return shown


def _build_failure(engine: Engine, spec: ImageSpec, result: Result) -> SpinstackError:
    fields = {
        "engine": engine.name,
        "key": spec.key,
        "platform": spec.platform,
        "dockerfile": str(spec.dockerfile_path),
        "doing": f"building the image {spec.key}",
        "where": f"image {spec.key}, {spec.dockerfile_path}",
    }
    return explained(BUILD, output_of(result), fields)


def _proved(runner: Runner, engine: Engine, spec: ImageSpec, reference: str, content: str) -> Local:
    """The image that was just built, if it is the right one. Raises SpinstackError."""
    image = local(runner, engine, reference)
    if image is None:
        raise SpinstackError(
            f"{engine.name} built the image {spec.key}, but the image is missing",
            where=reference,
            remedy="the selected builder does not load its images into docker: run "
            "`docker buildx use default`, then build again",
        )
    if not image.is_for(spec.platform):
        forget(runner, engine, reference)
        raise SpinstackError(
            f"{engine.name} built the image {spec.key} for {image.platform} instead of "
            f"{spec.platform}",
            where=str(spec.dockerfile_path),
            remedy=f"use a base image for {spec.platform}; on another kind of machine, buildx with "
            "emulation (Debian: `sudo apt install qemu-user-static`)",
        )
    if content_tag(spec) != content:
        forget(runner, engine, reference)
        raise SpinstackError(
            f"files of the image {spec.key} changed while it was being built",
            where=str(spec.context),
            remedy="build again; list files that keep changing in .dockerignore",
        )
    return image


def forget(runner: Runner, engine: Engine, reference: str) -> None:
    """Remove the name from an image that is not the right one; failing to do so is harmless."""
    runner.run(engine.command("image", "rm", reference), timeout=LOOK_WITHIN)


def output_of(result: Result) -> str:
    return f"{result.stdout}\n{result.stderr}"
