"""`invoke setup` on the login node of a rehearsal: a bare project space made ready, checkouts
brought forward; and what a person reads when a deploy meets a closed directory."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from .stage import Stage, Typed

pytestmark = pytest.mark.real("engine", "registry")

NAME = "setup-desi"
PORT = 60049
CODE = ("nightwatch", "desimodel", "desiutil")


@dataclass(frozen=True)
class Bare:
    """A stack for a project directory that is not there yet, with repositories to clone."""

    stage: Stage
    stack: Path
    project: Path
    repositories: Path

    def setup(self) -> Typed:
        return self.stage.invoke("setup", at=self.stack)

    def states(self) -> dict[str, str]:
        """What `invoke setup --json` says of each thing."""
        typed = self.stage.invoke("setup", "--json", at=self.stack)
        return {line["what"]: line["state"] for line in json.loads(typed.out)}

    def commit(self, name: str, text: str) -> None:
        """A new commit of a repository, which belongs to the account that clones it: git
        refuses others'."""
        repository = self.repositories / name
        if not repository.exists():
            self._git("init", "--quiet", "--initial-branch=main", str(repository))
        (repository / "README.md").write_text(text)
        at = ("-C", str(repository))
        self._git(*at, "add", ".")
        self._git(*at, "commit", "--quiet", "--message", text)
        owner = (self.project.parent / "nightwatch").stat()
        for path in (repository, *repository.rglob("*")):
            os.chown(path, owner.st_uid, owner.st_gid)

    def _git(self, *words: str) -> None:
        who = (
            "-c",
            "user.name=demo",
            "-c",
            "user.email=demo@example.org",
            "-c",
            "safe.directory=*",
        )
        subprocess.run(["git", *who, *words], check=True, capture_output=True)


@pytest.fixture(scope="module")
def bare(stage: Stage) -> Iterator[Bare]:
    stack = stage.bake(NAME, PORT)
    demo = stage.file_systems / "global" / "cfs" / "cdirs" / "desi" / "demo"
    place = Bare(stage, stack, demo / "bare", demo.parent / "repositories")
    place.repositories.mkdir()
    for name in CODE:
        place.commit(name, "one")
    settings = (stack / "invoke.yaml").read_text()
    settings = settings.replace("https://github.com/desihub", place.repositories.as_uri())
    settings = settings.replace(
        "destination.yml}", f"destination.yml, project_dir: {place.project}}}"
    )
    (stack / "invoke.yaml").write_text(settings)
    yield place
    stage.invoke("rm", "--yes", at=stack)
    for path in (place.project, place.repositories, stack):
        shutil.rmtree(path)


def test_a_bare_project_space_is_made_ready_once(bare: Bare) -> None:
    first = bare.setup()
    assert first.code == 0, first
    assert "made" in first.out and "needs you" not in first.out
    for name in CODE:
        assert (bare.project / name / "README.md").read_text() == "one"
    account = (bare.project.parent / "nightwatch").stat().st_uid
    for path in (bare.project, *bare.project.iterdir()):
        assert path.stat().st_mode & 0o001, path
        assert path.stat().st_uid == account, path
    assert (bare.stage.login_home / ".rancher" / "cli.json").exists()

    second = bare.setup()
    assert second.code == 0, second
    assert second.last_line == f"{NAME} at rehearsal: everything is ready, nothing to do"
    assert set(bare.states().values()) == {"ok"}


def test_a_checkout_follows_its_branch_unless_somebody_changed_it(bare: Bare) -> None:
    bare.setup()
    bare.commit("desimodel", "two")
    bare.commit("desiutil", "two")
    (bare.project / "desiutil" / "README.md").write_text("mine")
    typed = bare.setup()
    assert typed.code == 1, typed
    assert "has local changes" in typed.out
    assert (bare.project / "desimodel" / "README.md").read_text() == "two"
    assert (bare.project / "desiutil" / "README.md").read_text() == "mine"
    (bare.project / "desiutil" / "README.md").write_text("one")
    assert bare.states()["DESIUTIL_DIR"] == "updated"


def test_the_sample_of_a_rehearsal_stays_as_it_is(stage: Stage) -> None:
    stage.restore()
    typed = stage.done("setup")
    assert typed.out.count("exists but is not a git checkout: left as it is") == len(CODE)


def test_a_deploy_that_meets_a_closed_directory_says_why(bare: Bare, first_deploy: Typed) -> None:
    bare.setup()
    closed = bare.project / "nightwatchtest"
    closed.chmod(0o750)
    typed = bare.stage.invoke("deploy", at=bare.stack)
    assert typed.code == 1, typed
    assert "error while creating mount source path" in typed.err
    assert f"cause: Spin's node can't reach {closed}/" in typed.err
    assert "fix:   Run `invoke setup`, which adds o+x" in typed.err
    assert bare.setup().code == 0
    assert closed.stat().st_mode & 0o777 == 0o751
