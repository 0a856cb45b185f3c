"""A session in a baked stack whose programs only answer what was announced."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from invoke.config import Config
from invoke.context import Context

from spinstack.config import schema
from spinstack.images.engine import Engine
from spinstack.session import Session
from spinstack.transport.runner import RecordingRunner, Result, Runner
from tests.baking import bake


@cache
def _parsed(text: str) -> Any:
    return yaml.safe_load(text)


class _Config(Config):
    """Reads a file, of which every test has its copy, as invoke does, but only once."""

    def _load_yaml(self, path: str) -> Any:
        return deepcopy(_parsed(Path(path).read_text(encoding="utf-8")))


class StackSession(Session):
    """Reads the stack's own invoke.yaml, as invoke would."""

    def __init__(
        self,
        stack: Path,
        answers: dict[str, Result | list[Result]] | None = None,
        *,
        to: str | None = "dev",
        dry: bool = False,
    ) -> None:
        config = _Config(defaults={**Config.global_defaults(), **schema.known_to_invoke()})
        config.set_project_location(str(stack))
        config.load_project()
        config.load_shell_env()
        config.run.dry = dry
        super().__init__(Context(config), to)
        self.programs = RecordingRunner(answers or {}, dry=dry)
        self.__dict__["engine"] = Engine("docker")

    @property
    def runner(self) -> Runner:  # type: ignore[override]
        return self.programs


def baked(output: Path, **answers: str) -> Path:
    """A stack of somebody whose name is known. Baked once for all tests, then copied."""
    original = _original(tuple(sorted(answers.items())))
    return Path(shutil.copytree(original, output / original.name))


@cache
def _original(answers: tuple[tuple[str, str], ...]) -> Path:
    place = tempfile.mkdtemp(prefix="spinstack-stack-")
    atexit.register(shutil.rmtree, place, ignore_errors=True)
    return bake(Path(place), **{"nersc_user": "alice", **dict(answers)})


def run(task: Any, session: Session, **options: Any) -> Any:
    """What the task does once it has its session."""
    return task.body(session, **options)
