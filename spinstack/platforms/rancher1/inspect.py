"""What `rancher inspect` prints, as values. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


def parsed(output: str) -> dict[str, Any] | None:
    """The object that `inspect` printed; None for its `error …` line, which it exits 0 with."""
    for line in output.splitlines():
        if line.startswith("{"):
            try:
                value = json.loads(line)
            except ValueError:
                return None
            return value if isinstance(value, dict) else None
    return None


def relative_to(volume: str, directory: str) -> str:
    """A mount out of a release, whichever it is, as the compose file has it: `./web/…`."""
    source, _, rest = volume.partition(":")
    root, _, _ = directory.rpartition("/")
    if source.startswith(root + "/"):
        source = "./" + source.removeprefix(root + "/").partition("/")[2]
    return mount_text(source, *rest.split(":"))


def mount_text(source: str, target: str = "", mode: str = "rw") -> str:
    return f"{source}:{target}:{mode}"


def text_of(config: Mapping[str, Any], key: str) -> str:
    return str(config.get(key) or "")


def items_of(config: Mapping[str, Any], key: str) -> list[str]:
    value = config.get(key)
    return [str(item) for item in value] if isinstance(value, list) else []


def resource(output: str) -> dict[str, Any] | None:
    for line in output.splitlines():
        if line.startswith("{"):
            try:
                value = json.loads(line)
            except json.JSONDecodeError:
                return None
            return value if isinstance(value, dict) else None
    return None
