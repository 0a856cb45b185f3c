"""Building and pushing the images of a stack, each only when it is not there yet."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from spinstack import registry
from spinstack.command import Command
from spinstack.engine import Engine
from spinstack.engine_failures import (
    BUILD,
    BUILD_OTHERWISE,
    PUSH,
    PUSH_OTHERWISE,
    explained,
    is_chatter,
)
from spinstack.errors import SpinstackError
from spinstack.image_content import ImageSpec, content_tag, reference
from spinstack.runner import Result, Runner
from spinstack.service import ImageName

__all__ = [
    "BuildOutcome",
    "ImageSpec",
    "PushOutcome",
    "build",
    "content_tag",
    "push",
    "reference",
]

OnLine = Callable[[str], None]

# Written into every image: the content that it was built from.
CONTENT_LABEL = "spinstack.content"

# BuildKit may wrap the image into an index with attestations; a plain manifest is what every
# registry and engine reads. Builders that know nothing of this variable take no notice.
_BUILD_ENVIRONMENT = {"BUILDX_NO_DEFAULT_ATTESTATIONS": "1"}

# Seconds until a build or a push counts as stuck: compilers and slow lines take their time.
_BUILD_WITHIN, _PUSH_WITHIN = 3600.0, 3600.0

# Seconds for a question to the engine that needs no network.
_LOOK_WITHIN = 60.0


@dataclass(frozen=True)
class BuildOutcome:
    """`built`: whether the engine had anything to do. `image_id`: `sha256:…`, empty in a dry
    run. `seconds`: how long it took."""

    reference: str
    built: bool
    image_id: str
    seconds: float


@dataclass(frozen=True)
class PushOutcome:
    """`pushed`: False if the registry had this very image under this tag. `replaced`: the tag
    stood for another image before, which nodes that have pulled it keep. `digest`: the
    manifest's `sha256:…`, empty where the engine did not tell."""

    reference: str
    pushed: bool
    replaced: bool
    digest: str
    seconds: float


@dataclass(frozen=True)
class _Local:
    """An image as the engine on this machine has it. Ids and digests without `sha256:`."""

    id: str
    platform: str
    labels: Mapping[str, str] = field(default_factory=dict)
    digests: frozenset[str] = frozenset()

    def is_for(self, platform: str) -> bool:
        """Whether it runs on `OS/ARCHITECTURE[/VARIANT]`; engines don't always tell variants."""
        return self.platform.split("/") == platform.split("/")[:2]


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
    platform; `force` builds all the same. `on_line` gets the builder's output as it comes.
    Raises SpinstackError for a failed build, with its last lines as details, and for a
    context that can't be read.
    """
    start = time.monotonic()
    content = content_tag(spec)
    there = None if force else _local(runner, engine, reference)
    if there and there.labels.get(CONTENT_LABEL) == content and there.is_for(spec.platform):
        return BuildOutcome(reference, False, f"sha256:{there.id}", time.monotonic() - start)
    result = runner.run(
        _build_command(engine, spec, reference, content),
        env=_BUILD_ENVIRONMENT,
        timeout=_BUILD_WITHIN,
        on_line=_without_chatter(on_line),
    )
    if not result.ok:
        raise _build_failure(engine, spec, result)
    if runner.dry:
        return BuildOutcome(reference, True, "", time.monotonic() - start)
    image = _proved(runner, engine, spec, reference, content)
    return BuildOutcome(reference, True, f"sha256:{image.id}", time.monotonic() - start)


def _build_command(engine: Engine, spec: ImageSpec, reference: str, content: str) -> Command:
    """`docker image build`, with no flag that needs BuildKit.

    `--platform` is one of the classic builder too: Docker 20.10 takes it without experimental
    mode (tried with 20.10.24; 19.03 did not). `--force-rm` takes away the container of a step
    that failed; builders that leave none accept it. Podman is asked for Docker's format, since
    an old engine on a node may know no other.
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
    return explained(BUILD, BUILD_OTHERWISE, _output(result), fields)


def _proved(
    runner: Runner, engine: Engine, spec: ImageSpec, reference: str, content: str
) -> _Local:
    """The image that was just built, if it is what was asked for. Raises SpinstackError."""
    image = _local(runner, engine, reference)
    if image is None:
        raise SpinstackError(
            f"{engine.name} built the image {spec.key}, but does not have it",
            where=reference,
            remedy="a builder that keeps its images for itself is in use: "
            "`docker buildx use default`, then build again",
        )
    if not image.is_for(spec.platform):
        _forget(runner, engine, reference)
        raise SpinstackError(
            f"{engine.name} built the image {spec.key} for {image.platform} instead of "
            f"{spec.platform}",
            where=str(spec.dockerfile_path),
            remedy=f"a base image for {spec.platform}, and on a machine of another kind buildx "
            "with emulation (Debian: `sudo apt install qemu-user-static`)",
        )
    if content_tag(spec) != content:
        _forget(runner, engine, reference)
        raise SpinstackError(
            f"files of the image {spec.key} changed while it was being built",
            where=str(spec.context),
            remedy="build again; name files that change all the time in .dockerignore",
        )
    return image


def _forget(runner: Runner, engine: Engine, reference: str) -> None:
    """Take the name from an image that does not deserve it; a failure to do so is harmless."""
    runner.run(engine.command("image", "rm", reference), timeout=_LOOK_WITHIN)


def push(
    runner: Runner, engine: Engine, reference: str, *, on_line: OnLine | None = None
) -> PushOutcome:
    """Push the image, unless the registry has that very image under that tag.

    The registry itself is asked, with the credentials that the engine keeps; where it gives
    no clear answer the engine pushes, and skips the layers that are there. A dry run asks
    nobody. Raises SpinstackError: image not built, not logged in, wrong credentials, no such
    namespace, registry unreachable, TLS, time-out, disk full.
    """
    start = time.monotonic()
    image = ImageName.parse(reference)
    local = _local(runner, engine, reference)
    if local is None and not runner.dry:
        raise SpinstackError(
            f"the image {reference} is not on this machine",
            where=f"{engine.name} image inspect",
            remedy="`invoke build`, then push again",
        )
    login = None if runner.dry else registry.credentials(runner, engine, image.registry)
    remote = None if runner.dry else registry.manifest(image, login)
    if local and remote and _same(local, remote):
        return PushOutcome(reference, False, False, remote.digest, time.monotonic() - start)
    flags = engine.plain_http(image.registry)
    command = engine.command("image", "push", *flags, reference)
    result = runner.run(command, timeout=_PUSH_WITHIN, on_line=on_line)
    if not result.ok:
        raise _push_failure(engine, image, login is not None, result)
    digest = re.search(r"digest: (sha256:[0-9a-f]{64})", _output(result))
    return PushOutcome(
        reference,
        pushed=True,
        replaced=remote is not None,
        digest=digest.group(1) if digest else "",
        seconds=time.monotonic() - start,
    )


def _same(local: _Local, remote: registry.Manifest) -> bool:
    """By the configuration's digest (Docker's image id), or the manifest's (the id where
    Docker uses containerd's store, and what it remembers of its pushes)."""
    config, digest = _bare(remote.config), _bare(remote.digest)
    return local.id in (config, digest) or digest in local.digests


def _push_failure(
    engine: Engine, image: ImageName, logged_in: bool, result: Result
) -> SpinstackError:
    namespace = image.path.rpartition("/")[0] or image.path
    refused = (
        f"the registry {image.registry} does not accept the login that {engine.name} keeps, or "
        f"has no namespace {namespace}"
    )
    fields = {
        "engine": engine.name,
        "registry": image.registry,
        "namespace": namespace,
        "reference": str(image),
        "not_let_in": refused if logged_in else f"you are not logged in at {image.registry}",
        "doing": f"pushing {image}",
        "where": str(image),
    }
    return explained(PUSH, PUSH_OTHERWISE, _output(result), fields)


def _output(result: Result) -> str:
    return f"{result.stdout}\n{result.stderr}"


def _bare(digest: str) -> str:
    return digest.removeprefix("sha256:")


def _local(runner: Runner, engine: Engine, reference: str) -> _Local | None:
    """The image as the engine has it; None if it has none of that name (or in a dry run)."""
    command = engine.command("image", "inspect", reference)
    result = runner.run(command, timeout=_LOOK_WITHIN, changes=False)
    if not result.ok or not result.stdout.strip():
        return None
    try:
        data: dict[str, Any] = json.loads(result.stdout)[0]
        labels = (data.get("Config") or {}).get("Labels") or {}
        digests = [_bare(name.rpartition("@")[2]) for name in data.get("RepoDigests") or []]
        platform = f"{data['Os']}/{data['Architecture']}"
        return _Local(_bare(data["Id"]), platform, labels, frozenset(digests))
    except (ValueError, LookupError, TypeError, AttributeError):
        raise SpinstackError(
            f"the answer of {engine.name} about an image can't be understood",
            where=command.shown(),
            remedy=f"see whether `{engine.name} image inspect` works; update {engine.name}",
            details=result.stdout[:400],
        ) from None
