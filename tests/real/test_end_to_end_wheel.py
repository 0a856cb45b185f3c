"""spinstack as a wheel: a stack is made with no checkout at hand, and runs its tasks."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import invoke
import pytest

from .stage import REPOSITORY, Stage, Typed

# It needs nothing but a package index, which building a wheel asks for its build system.
pytestmark = pytest.mark.real()


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    words = ["wheel", "--no-deps", "--wheel-dir", str(directory), str(REPOSITORY)]
    subprocess.run([*pip, *words], check=True, timeout=300)
    (made,) = directory.glob("spinstack-*.whl")
    return made


def _environment(directory: Path) -> Path:
    """An empty virtual environment; its `site-packages`."""
    words = [sys.executable, "-m", "venv", "--without-pip", str(directory)]
    subprocess.run(words, check=True, timeout=60)
    (packages,) = directory.glob("lib/python*/site-packages")
    return packages


class Person:
    """Types commands of one virtual environment in a directory of its own."""

    def __init__(self, root: Path) -> None:
        self.programs = root / "venv" / "bin"
        self.here = root / "work"
        for directory in (self.here, root / "home"):
            directory.mkdir()
        self._stage = Stage(root / "home", root, self.here)

    def type(self, program: str, *words: str, at: Path | None = None) -> Typed:
        path = f"{self.programs}:/usr/bin:/bin"
        command = str(self.programs / program)
        done = self._stage.type(command, *words, at=at or self.here, PATH=path)
        return replace(done, words=(program, *words))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Person]:
    """A fresh environment with the wheel in it; what it depends on is borrowed from ours."""
    root = tmp_path_factory.mktemp("person")
    packages = _environment(root / "venv")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    pip += ["--python", str(root / "venv" / "bin" / "python")]
    subprocess.run([*pip, "install", "--no-deps", str(wheel)], check=True, timeout=120)
    # A line of a .pth file comes after the environment's own packages, and the .pth files in
    # there, of an editable spinstack for one, are not read.
    (packages / "borrowed.pth").write_text(f"{Path(invoke.__file__).parents[1]}\n")
    yield Person(root)


def test_the_installed_command_makes_a_stack_from_its_own_template(installed: Person) -> None:
    made = installed.type("spinstack", "new", "--no-input", "--answer", "web_port=60021")
    assert made.code == 0, made
    stack = installed.here / "nightwatch-desi"
    assert made.last_line == str(stack)
    assert "WEB_PORT=60021" in (stack / "stack.env").read_text()
    assert str(REPOSITORY) not in made.out + made.err
    # pip compiles the template, too.
    assert not [*stack.rglob("*.pyc")]

    listed = installed.type("spinstack", "--list", at=stack)
    assert listed.code == 0, listed
    assert "Create and check a stack:" in listed.out
    assert "  deploy " in listed.out
    # The settings are those of the stack: it asks for the rehearsal that they name.
    status = installed.type("spinstack", "status", at=stack)
    assert status.code == 2
    assert "fix:   for the rehearsal, first run `invoke rehearsal.start`" in status.err


def test_wrong_answers_leave_nothing_behind(installed: Person) -> None:
    words = ("--no-input", "--answer", "web_port=80", "--answer", "stack_name=No_Name")
    refused = installed.type("spinstack", "new", *words)
    assert refused.code == 1, refused
    assert "web_port: " in refused.err
    assert "stack_name: " in refused.err
    assert "Traceback" not in refused.err
    assert not (installed.here / "No_Name").exists()


def test_outside_of_a_stack_it_says_where_to_go(installed: Person) -> None:
    lost = installed.type("spinstack", "deploy")
    assert lost.code == 2
    assert "error: this is not a stack's directory" in lost.err
    assert "spinstack new" in lost.err


def test_a_stack_without_spinstack_says_so_in_one_sentence(
    installed: Person, tmp_path: Path
) -> None:
    packages = _environment(tmp_path / "venv")
    (packages / "invoke").symlink_to(Path(invoke.__file__).parent)
    stranger = Person(tmp_path)
    installed.type("spinstack", "new", "--no-input", "--output", str(stranger.here))
    told = stranger.type("python", "-m", "invoke", "--list", at=stranger.here / "nightwatch-desi")
    assert told.code == 2
    assert told.out == ""
    assert told.err == (
        "These tasks come from the package spinstack, but spinstack is not installed: "
        "run `pip install spinstack` in the Python environment of your invoke.\n"
    )
