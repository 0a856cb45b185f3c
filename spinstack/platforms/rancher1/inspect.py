"""What `rancher inspect` prints, as values. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from spinstack.platforms.base import Garbled, RunningService
from spinstack.transport.script import json_object

# What it prints, with exit code 0, instead of an unknown resource.
_UNKNOWN = re.compile(r"^error \S+: Not found: ", re.MULTILINE)


def read(output: str) -> dict[str, Any] | None:
    """The resource; None for an unknown name, and where nothing ran (a dry run). Raises
    Garbled."""
    found = json_object(output)
    if found is None and output.strip() and not _UNKNOWN.search(output):
        raise Garbled(output)
    return found


def running(resource: Mapping[str, Any], release: str) -> RunningService:
    """A service as it was launched. Mounts from `release`, or from another release beside it, are
    written as in the compose file: each has its own copy of the same path."""
    config = resource.get("launchConfig")
    if not isinstance(config, dict):
        return RunningService()
    environment = config.get("environment")
    return RunningService(
        image=_text(config, "imageUuid").removeprefix("docker:"),
        user=_text(config, "user"),
        entrypoint=config.get("entryPoint"),
        command=config.get("command"),
        mounts=tuple(_relative(item, release) for item in _items(config, "dataVolumes")),
        ports=tuple(item.removesuffix("/tcp") for item in _items(config, "ports")),
        cap_drop=tuple(_items(config, "capDrop")),
        environment={
            str(k): str(v)
            for k, v in (environment.items() if isinstance(environment, dict) else ())
        },
    )


def _relative(volume: str, directory: str) -> str:
    """A mount from any release, as the compose file has it: `./web/…`."""
    source, _, rest = volume.partition(":")
    root, _, _ = directory.rpartition("/")
    if source.startswith(root + "/"):
        source = "./" + source.removeprefix(root + "/").partition("/")[2]
    target, _, mode = rest.partition(":")
    return f"{source}:{target}:{mode or 'rw'}"


def _text(config: Mapping[str, Any], key: str) -> str:
    return str(config.get(key) or "")


def _items(config: Mapping[str, Any], key: str) -> list[str]:
    value = config.get(key)
    return [str(item) for item in value] if isinstance(value, list) else []
