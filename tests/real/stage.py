"""A person's machine for the end-to-end tests: a home, a rehearsal in it, a stack of theirs.

Everything is typed as a person types it: `cookiecutter …`, `invoke …`, in processes of
their own, with what they printed kept for the tests to read.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
ARTEFACTS = REPOSITORY / "artefacts"
STACK = "nightwatch-desi"
# Neither the template's own port, which the person who tests may be using, nor that of
# another test session of theirs; the next one is left for a second stack.
PORT = 60000 + 2 * (os.getpid() % 18)
# Seconds that a command may take: a first deploy builds and pushes on a slow machine.
WITHIN = 600.0


@dataclass(frozen=True)
class Typed:
    """What a command did: exit code, standard output, standard error."""

    words: tuple[str, ...]
    code: int
    out: str
    err: str

    @property
    def last_line(self) -> str:
        return self.out.rstrip("\n").rpartition("\n")[2]

    def __str__(self) -> str:
        return f"{' '.join(self.words)}: exit code {self.code}\n{self.out}\n{self.err}"


@dataclass(frozen=True)
class Stage:
    """`home`: the person's; `storage`: where their rehearsals keep their file systems;
    `work`: where they type `cookiecutter`."""

    home: Path
    storage: Path
    work: Path

    def environment(self, **more: str) -> dict[str, str]:
        """This process's variables without the settings of whoever runs the tests."""
        mine = ("INVOKE_", "RANCHER_", "SPINSTACK_", "PYTHON", "COLUMNS")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(mine)}
        kept.pop("SSH_AUTH_SOCK", None)
        return {
            **kept,
            "HOME": str(self.home),
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
            "SPINSTACK_REHEARSAL_STORAGE": str(self.storage),
            **more,
        }

    def type(self, *words: str, at: Path, within: float = WITHIN, **variables: str) -> Typed:
        """Run a command in the directory `at`; nobody is there to answer questions."""
        done = subprocess.run(
            words,
            cwd=at,
            env=self.environment(**variables),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=within,
        )
        return Typed(words, done.returncode, done.stdout, done.stderr)

    def invoke(self, *words: str, at: Path | None = None, **variables: str) -> Typed:
        """`invoke …` in the stack's directory; its exit code is the caller's to judge."""
        return self.type("invoke", *words, at=at or self.stack, within=WITHIN, **variables)

    def done(self, *words: str, at: Path | None = None) -> Typed:
        """`invoke …` that has to succeed."""
        typed = self.invoke(*words, at=at)
        assert typed.code == 0, typed
        return typed

    def bake(self, name: str, port: int, kind: str = "nightwatch") -> Path:
        """A new stack, by the real command."""
        answers = (f"kind={kind}", f"stack_name={name}", f"web_port={port}")
        typed = self.type("cookiecutter", str(REPOSITORY), "--no-input", *answers, at=self.work)
        assert typed.code == 0, typed
        return self.work / name

    @property
    def stack(self) -> Path:
        return self.work / STACK

    @property
    def private(self) -> Path:
        """The private directory of the rehearsal `default`."""
        return self.home / ".local" / "state" / "spinstack" / "rehearsal" / "default"

    @property
    def rehearsal(self) -> dict[str, object]:
        """What was decided for it: ports, addresses, its engine."""
        decided: dict[str, object] = json.loads((self.private / "state.json").read_text())
        return decided

    @property
    def file_systems(self) -> Path:
        """The storage of the rehearsal: the centre's file systems."""
        return Path(str(self.rehearsal["storage"]))

    @property
    def login_home(self) -> Path:
        """The account's home on the login node."""
        return self.file_systems / "global" / "homes" / "d" / "demo"

    def containers(self, stack: str = STACK) -> dict[str, str]:
        """The containers of a stack, stopped ones too: name -> id and whether it runs."""
        engine, prefix = str(self.rehearsal["engine"]), self.rehearsal["prefix"]
        form = "{{.Names}} {{.ID}} {{.State}}"
        words = [engine, "ps", "--all", "--no-trunc", "--format", form]
        listed = subprocess.run(words, capture_output=True, text=True, check=True).stdout
        lines = (line.split(" ", 1) for line in listed.splitlines())
        return {name: rest for name, rest in lines if name.startswith(f"{prefix}-{stack}-")}

    def restore(self) -> None:
        """The stack's directory as cookiecutter made it."""
        shutil.rmtree(self.stack, ignore_errors=True)
        shutil.copytree(self.work / "as-made", self.stack)


@pytest.fixture(scope="session")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A stack made by `cookiecutter`, and a rehearsal that runs; both go at the end."""
    root = tmp_path_factory.mktemp("person")
    # Containers and login sessions are other users, who must be able to pass.
    with tempfile.TemporaryDirectory(dir="/var/tmp", prefix="spinstack-test-") as storage:
        Path(storage).chmod(0o755)
        # Where rehearsals of others look, so that theirs take another address than ours.
        sign = Path(f"{storage}-default")
        sign.symlink_to(Path(storage) / f"spinstack-{os.getuid()}-default")
        made = Stage(root / "home", Path(storage), root / "work")
        made.home.mkdir()
        made.work.mkdir()
        made.bake(STACK, PORT)
        shutil.copytree(made.stack, made.work / "as-made")
        try:
            made.done("rehearsal.start")
            yield made
        finally:
            made.restore()
            made.invoke("rehearsal.stop")
            sign.unlink()


@pytest.fixture(scope="session")
def first_deploy(stage: Stage) -> Typed:
    """The first `invoke deploy` of all: images are built and pushed, the key is made."""
    return stage.done("deploy")


@pytest.fixture
def site(stage: Stage, first_deploy: Typed) -> str:
    """The address of the stack as cookiecutter made it, deployed, whatever was before."""
    stage.restore()
    return stage.done("deploy").last_line
