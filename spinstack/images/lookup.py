"""Which images of a stack the engine already has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from spinstack.errors import SpinstackError
from spinstack.images.tag import CONTENT_LABEL
from spinstack.text import read_json

if TYPE_CHECKING:
    from spinstack.images.engine import Engine
    from spinstack.images.registry import Manifest
    from spinstack.transport.runner import Runner


# Seconds for a question to the engine that needs no network.
LOOK_WITHIN = 60.0


@dataclass(frozen=True)
class Local:
    """An image as the engine on this machine has it. Ids and digests without `sha256:`."""

    id: str
    platform: str
    labels: Mapping[str, str] = field(default_factory=dict)
    digests: frozenset[str] = frozenset()

    def is_for(self, platform: str) -> bool:
        """Whether it runs on `OS/ARCHITECTURE[/VARIANT]`; engines don't always report variants."""
        return self.platform.split("/") == platform.split("/")[:2]

    def is_of(self, content: str, platform: str) -> bool:
        """Whether it was built from this content for this platform."""
        return self.labels.get(CONTENT_LABEL) == content and self.is_for(platform)

    def is_the_one_of(self, remote: Manifest) -> bool:
        """By the configuration's digest (Docker's image id), or the manifest's (the id where
        Docker uses containerd's store, and what it remembers of its pushes)."""
        config, digest = bare(remote.config), bare(remote.digest)
        return self.id in (config, digest) or digest in self.digests


def bare(digest: str) -> str:
    return digest.removeprefix("sha256:")


def local(runner: Runner, engine: Engine, reference: str) -> Local | None:
    """The image as the engine has it; None if it has none of that name (or in a dry run)."""
    return locals_of(runner, engine, [reference]).get(reference)


def locals_of(runner: Runner, engine: Engine, references: Sequence[str]) -> dict[str, Local]:
    """Those of the images that the engine has, with one command.

    Raises SpinstackError for unexpected output.
    """
    command = engine.command("image", "inspect", *references)
    # The exit code only says that one is missing; the others are printed all the same.
    result = runner.run(command, timeout=LOOK_WITHIN, changes=False)
    if not result.stdout.strip() or (not result.ok and len(references) == 1):
        return {}
    try:
        found: list[dict[str, Any]] = read_json(result.stdout)
        if len(references) == 1:
            return {references[0]: _understood(found[0])}
        tagged = {tag: value for value in found for tag in value.get("RepoTags") or ()}
        pairs = ((name, _tagged(tagged, name)) for name in references)
        return {name: _understood(value) for name, value in pairs if value is not None}
    except (ValueError, LookupError, TypeError, AttributeError):
        raise SpinstackError(
            f"unexpected output from {engine.name}",
            where=command.shown(),
            remedy=f"check that `{engine.name} image inspect` works; update {engine.name}",
            details=result.stdout[:400],
        ) from None


def _tagged(tagged: Mapping[str, dict[str, Any]], name: str) -> dict[str, Any] | None:
    """The image of that name; Docker leaves its own registry out of names."""
    return tagged.get(name, tagged.get(name.removeprefix("docker.io/")))


def _understood(value: dict[str, Any]) -> Local:
    labels = (value.get("Config") or {}).get("Labels") or {}
    digests = [bare(name.rpartition("@")[2]) for name in value.get("RepoDigests") or []]
    platform = f"{value['Os']}/{value['Architecture']}"
    return Local(bare(value["Id"]), platform, labels, frozenset(digests))
