"""Pushes images that the registry does not have yet."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass

from spinstack.errors import SpinstackError
from spinstack.images import registry, registry_login
from spinstack.images.build import OnLine, output_of
from spinstack.images.engine import Engine
from spinstack.images.errors import PUSH, explained
from spinstack.images.lookup import local
from spinstack.rules.service import ImageName
from spinstack.transport.runner import Result, Runner

# Seconds until a push counts as stuck: slow lines take their time.
_PUSH_WITHIN = 3600.0


@dataclass(frozen=True)
class PushOutcome:
    """`pushed`: False if the registry already had this image under this tag. `replaced`: the tag
    stood for another image before, which nodes that have pulled it keep. `digest`: the
    manifest's `sha256:…`, empty if the engine did not report it."""

    reference: str
    pushed: bool
    replaced: bool
    digest: str
    seconds: float


def push(
    runner: Runner, engine: Engine, reference: str, *, on_line: OnLine | None = None
) -> PushOutcome:
    """Push the image, unless the registry already has exactly that image under that tag.

    The registry itself is asked, with the credentials that the engine keeps; if it gives no
    clear answer, the engine pushes and skips the layers that exist. A dry run asks no one.
    Raises SpinstackError: image not built, not logged in, wrong credentials, no such namespace,
    registry unreachable, TLS, time-out, disk full.
    """
    start = time.monotonic()
    image = ImageName.parse(reference)
    here = local(runner, engine, reference)
    if here is None and not runner.dry:
        raise not_here(engine, reference)
    place = f"{image.registry}/{image.path}"
    login = None if runner.dry else registry_login.credentials(runner, engine, place)
    remote = None if runner.dry else registry.manifest(image, login)
    if here and remote and here.is_the_one_of(remote):
        return PushOutcome(reference, False, False, remote.digest, time.monotonic() - start)
    digest = push_anew(runner, engine, reference, login, on_line=on_line)
    return PushOutcome(
        reference,
        pushed=True,
        replaced=remote is not None,
        digest=digest,
        seconds=time.monotonic() - start,
    )


def not_here(engine: Engine, reference: str) -> SpinstackError:
    """The image that should be pushed was not built."""
    return SpinstackError(
        f"the image {reference} is not on this machine",
        where=f"{engine.name} image inspect",
        remedy="run `invoke build`, then push again",
    )


def push_anew(
    runner: Runner,
    engine: Engine,
    reference: str,
    login: registry_login.Credentials | None,
    *,
    on_line: OnLine | None = None,
    terminal: bool = False,
) -> str:
    """Push the image, whatever the registry has; the manifest's digest, empty if neither the
    engine nor the registry reports it. `login`: what the engine keeps for the registry.
    `terminal`: have the engine show the bytes of each layer, as it does on a terminal. Raises as
    `push`.
    """
    image = ImageName.parse(reference)
    flags = engine.plain_http(image.registry)
    command = engine.command("image", "push", *flags, reference)
    result = runner.run(command, timeout=_PUSH_WITHIN, on_line=on_line, terminal=terminal)
    if not result.ok:
        raise _push_failure(engine, image, login is not None, result)
    told = re.search(r"digest: (sha256:[0-9a-f]{64})", output_of(result))
    if told or runner.dry:
        return told.group(1) if told else ""
    # Podman does not print it.
    there = registry.manifest(image, login)
    return there.digest if there else ""


def _push_failure(
    engine: Engine, image: ImageName, logged_in: bool, result: Result
) -> SpinstackError:
    namespace = image.path.rpartition("/")[0] or image.path
    refused = (
        f"the registry {image.registry} does not accept the login stored by {engine.name}, or has "
        f"no namespace {namespace}"
    )
    fields = {
        "engine": engine.name,
        "registry": image.registry,
        "namespace": namespace,
        "reference": str(image),
        "not_let_in": refused if logged_in else f"you are not logged in to {image.registry}",
        "doing": f"pushing {image}",
        "where": str(image),
    }
    return explained(PUSH, output_of(result), fields)
