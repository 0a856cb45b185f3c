"""What each task needs to be typed at all: asked of every task, so known once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from spinstack.tasks import ns

NEEDED: dict[str, dict[str, Any]] = {
    "add": {"what": "postgres"},
    "completion": {"shell": "bash"},
    "secret.create": {"name": "password"},
    "secret.rm": {"name": "password"},
    "volume.create": {"name": "app"},
    "volume.rm": {"name": "app"},
    "volume.save": {"name": "app", "file": "app.tar"},
    "volume.load": {"name": "app", "file": "app.tar"},
    "exec": {"service": "web", "command": "true"},
    "scale": {"service": "web", "count": 2},
    "shell": {"service": "web"},
    "image.run": {"image": "web"},
}


def typed(name: str) -> list[str]:
    """The words after `invoke` for a task, with no option it can do without."""
    return [name, *_arguments(name)]


def _arguments(name: str) -> Iterator[str]:
    positional = {argument.name for argument in ns[name].get_arguments() if argument.positional}
    for argument, value in NEEDED.get(name, {}).items():
        yield from ([] if argument in positional else [f"--{argument}"])
        yield str(value)
