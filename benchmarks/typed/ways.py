"""The commands that are compared: a directory each, a person's words, and a fresh place for
what it makes."""

from __future__ import annotations

import compileall
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import spinstack
from benchmarks.far.place import STACK, TEMPLATE, bake

BIN = Path(sys.executable).parent
PACKAGE = Path(spinstack.__file__).parent

TRIVIAL = '''\
from invoke import task


@task
def build(c):
    """Build it."""


@task
def test(c):
    """Test it."""


@task
def clean(c):
    """Clean up."""
'''
OURS = "from spinstack.tasks import ns\n\n__all__ = ['ns']\n"
AT_TOP = "import fabric\n"
ALL_AT_TOP = "import cookiecutter.main\nimport fabric\nimport yaml\n"

PYTHON, ARGPARSE = "python -c pass", "a program with argparse, its help"
LIST, LIST_TRIVIAL = "invoke --list", "invoke --list, three trivial tasks"
LIST_BARE = "invoke --list, three trivial tasks, no invoke.yaml"
LIST_FABRIC = "invoke --list, fabric imported at the top"
LIST_ALL = "invoke --list, fabric, cookiecutter and yaml at the top"
HELP, HELP_TRIVIAL = "invoke --help deploy", "invoke --help of a trivial task"
COMPLETE, COMPLETE_TRIVIAL = "invoke --complete", "invoke --complete, three trivial tasks"
COOKIECUTTER, NEW = "cookiecutter --no-input", "spinstack new --no-input"
RENDER, RELEASE = "invoke render", "a release made"

# Packs what a deploy uploads: all variables filled in, the archive hashed.
_RELEASE = """\
from pathlib import Path
from invoke.config import Config
from invoke.context import Context
from spinstack.config import schema
from spinstack.remote import upload
from spinstack.session import Session

config = Config(defaults={**Config.global_defaults(), **schema.known_to_invoke()})
config.set_project_location(str(Path.cwd()))
config.load_project()
session = Session(Context(config), "dev")
more = session.platform.release_files(session.stack, session.destination)
print(upload.make(session.stack, session.destination, more).id)
"""
_ARGPARSE = """\
import argparse

parser = argparse.ArgumentParser()
parser.add_argument("--to", help="destination")
parser.parse_args(["--help"])
"""


@dataclass(frozen=True)
class Way:
    """`words`, typed in `place`; what it makes is in `made`, removed before each run."""

    name: str
    place: Path
    words: tuple[str, ...]
    made: Path | None = None


def ways(work: Path) -> list[Way]:
    """All of them, their directories made in `work`.

    The package is compiled first, as pip does with one that is not a checkout: Invoke forbids
    Python to write down what it compiled, so a checkout may be compiled at every command.
    """
    compileall.compile_dir(PACKAGE, quiet=1)
    stack = bake(work / "stack")
    bare = _directory(work / "bare", TRIVIAL)
    # The same directory but for the tasks: Invoke reads its invoke.yaml whoever has tasks there.
    trivial, fabric, everything = (
        _copy(stack, work / name, tasks)
        for name, tasks in (
            ("trivial", TRIVIAL),
            ("fabric", AT_TOP + OURS),
            ("everything", ALL_AT_TOP + OURS),
        )
    )
    invoke, python = str(BIN / "invoke"), sys.executable
    made = work / "made"
    made.mkdir()
    cookiecutter = (str(BIN / "cookiecutter"), "--no-input", "--output-dir", str(made))
    new = (str(BIN / "spinstack"), "new", "--no-input", "--output", str(made))
    return [
        Way(LIST_BARE, bare, (invoke, "--list")),
        Way(LIST_TRIVIAL, trivial, (invoke, "--list")),
        Way(LIST, stack, (invoke, "--list")),
        Way(LIST_FABRIC, fabric, (invoke, "--list")),
        Way(LIST_ALL, everything, (invoke, "--list")),
        Way(HELP_TRIVIAL, trivial, (invoke, "--help", "build")),
        Way(HELP, stack, (invoke, "--help", "deploy")),
        Way(COMPLETE_TRIVIAL, trivial, (invoke, "--complete", "--", "invoke te")),
        Way(COMPLETE, stack, (invoke, "--complete", "--", "invoke st")),
        Way(RENDER, stack, (invoke, "render", "--to", "dev")),
        Way(RELEASE, stack, (python, "-c", _RELEASE)),
        Way(COOKIECUTTER, work, (*cookiecutter, str(TEMPLATE)), made / STACK),
        Way(NEW, work, new, made / STACK),
        Way(PYTHON, work, (python, "-c", "pass")),
        Way(ARGPARSE, work, (python, "-c", _ARGPARSE)),
    ]


def _directory(place: Path, tasks: str) -> Path:
    place.mkdir()
    (place / "tasks.py").write_text(tasks, encoding="utf-8")
    return place


def _copy(stack: Path, place: Path, tasks: str) -> Path:
    shutil.copytree(stack, place)
    (place / "tasks.py").write_text(tasks, encoding="utf-8")
    return place


def clear(way: Way) -> None:
    """Nothing is there yet of what it makes."""
    if way.made:
        shutil.rmtree(way.made, ignore_errors=True)


def run(way: Way, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        way.words,
        cwd=way.place,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )
