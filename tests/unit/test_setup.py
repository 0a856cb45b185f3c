"""`setup` with a real bash and a real git: what it finds, makes, updates and leaves alone."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from invoke.config import Config
from invoke.context import Context

from spinstack.errors import SpinstackError
from spinstack.remote.history import record
from spinstack.session import Session
from spinstack.setup import project
from spinstack.setup.plan import Line
from spinstack.transport.command import Command
from spinstack.transport.login_node import Answer, LoginNode, OnBegin, OnLine
from spinstack.transport.runner import Result
from spinstack.transport.script import Script, ScriptResult, Transcript

COMPOSE = """\
version: '2'
services:
  app:
    image: registry.spin.nersc.gov/alice/uwsgi-demo:1.0
    volumes:
      - ${STATIC_DIR}:/app/static:rw
      - ${DATA_DIR}:/app/data:ro
      - ${CODE_DIR}:/app/code:ro
      - ./web/nginx.conf:/nginx.conf:ro
"""


class ShellNode:
    """A login node that is this machine: scripts are run by bash, with a pretend `module` and
    `rancher`, and a home of the test's own."""

    name = "alice@here"
    dry = False

    def __init__(self, home: Path) -> None:
        self.home = home
        self.scripts: list[Script] = []
        self.conversations = 0
        self.rancher = "true"

    def run(
        self, script: Script, *, on_begin: OnBegin | None = None, on_line: OnLine | None = None
    ) -> ScriptResult:
        self.scripts.append(script)
        transcript = Transcript(script, "mark")
        # A program, since `timeout` runs no functions.
        (self.home / "rancher").write_text(f"#!/bin/sh\n{self.rancher}\n")
        (self.home / "rancher").chmod(0o755)
        text = "module() { :; }\n" + script.text("mark")
        done = subprocess.run(
            ["bash"],
            input=text,
            capture_output=True,
            text=True,
            env={**os.environ, "HOME": str(self.home), "PATH": self.path},
        )
        transcript.feed(done.stdout)
        assert transcript.result.complete, done
        return transcript.result

    @property
    def path(self) -> str:
        return f"{self.home}:{os.environ['PATH']}"

    def converse(self, command: Command, answer: Answer, *, seconds: float = 60) -> Result:
        self.conversations += 1
        (self.home / ".rancher").mkdir(exist_ok=True)
        (self.home / ".rancher" / "cli.json").write_text("{}")
        return Result("Success: Spin API Key generated for user.\n")

    def close(self) -> None:
        return


class Place:
    """A stack here, and a project directory and a repository that it goes to."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.project = root / "cfs" / "desi" / "alice"
        self.upstream = root / "upstream"
        self.stack = root / "stack"
        self.node = ShellNode(root / "home")
        self.project.parent.mkdir(parents=True)
        self.stack.mkdir()
        self.node.home.mkdir()
        (self.stack / "docker-compose.yml").write_text(COMPOSE)
        (self.stack / "stack.env").write_text("STATIC_DIR=out\nDATA_DIR=data\nCODE_DIR=code\n")
        git(root, "init", "--quiet", "--initial-branch=main", str(self.upstream))
        self.commit("one")

    def commit(self, text: str) -> str:
        """A new commit of the repository; its id."""
        (self.upstream / "code.py").write_text(text)
        git(self.upstream, "add", ".")
        git(self.upstream, "commit", "--quiet", "-m", text)
        return git(self.upstream, "rev-parse", "HEAD")

    def session(self, *, ref: str = "main", dry: bool = False, **changes: Any) -> Session:
        settings = {
            "stack": "demo",
            "destination": "dev",
            "user": "alice",
            "project_dir": str(self.project),
            "destinations": {"dev": {"environment": "dev-cattle"}},
            "centre": {"storage": {"mountable": [str(self.root / "cfs")]}},
            "checkouts": {"CODE_DIR": {"url": self.upstream.as_uri(), "ref": ref}},
            **changes,
        }
        session = Session(Context(Config(overrides={"spinstack": settings, "run": {"dry": dry}})))
        session.__dict__["directory"] = self.stack
        if not dry:

            @contextmanager
            def login_node() -> Iterator[LoginNode]:
                yield self.node

            session.login_node = login_node  # type: ignore[method-assign]
        return session

    def setup(self, **options: Any) -> dict[str, Line]:
        """The lines of a run by what they are about; what lies above the test's directory is
        not looked at (pytest closes it to others)."""
        lines = project.setup(self.session(**options))
        mine = [line for line in lines if Path(line.where) not in self.root.parents]
        mine = [line for line in mine if line.where != str(self.root)]
        return {line.what: line for line in mine}

    @property
    def head(self) -> str:
        return git(self.project / "code", "rev-parse", "HEAD")


def git(directory: Path, *words: str) -> str:
    who = ("-c", "user.name=alice", "-c", "user.email=alice@example.org")
    command = ["git", *who, "-C", str(directory), *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def states(lines: dict[str, Line]) -> dict[str, str]:
    return {what: line.state for what, line in lines.items()}


def test_what_is_missing_is_made_and_the_second_run_does_nothing(place: Place) -> None:
    made = dict.fromkeys(
        ("project directory", "STATIC_DIR", "DATA_DIR", "CODE_DIR", "Rancher key"), "made"
    )
    first = states(place.setup())
    assert {what: first[what] for what in made} == made
    assert (place.project / "code" / "code.py").read_text() == "one"
    for name in ("", "out", "data", "code"):
        assert (place.project / name).stat().st_mode & 0o001, name
    assert place.node.conversations == 1
    place.node.scripts.clear()

    before = snapshot(place.project)
    second = states(place.setup())
    assert set(second.values()) == {"ok"}
    assert [len(place.node.scripts), place.node.conversations] == [1, 1]
    assert snapshot(place.project) == before


def snapshot(root: Path) -> dict[str, tuple[int, float]]:
    """Every file and directory with its mode and the time of its last change."""
    paths = sorted(root.rglob("*"))
    return {str(path): (path.lstat().st_mode, path.lstat().st_mtime) for path in paths}


def test_the_history_has_what_was_made_and_what_was_not(place: Place) -> None:
    place.setup()
    place.setup()
    (place.project / "code" / "code.py").unlink()
    place.setup()
    (made,) = record.parse((place.project / "demo" / record.FILE).read_text())
    assert (made.doing, made.outcome, made.who) == ("setup", "done", "alice")
    assert "CODE_DIR made" in made.detail

    again = Place(place.root / "again")
    again.setup(ref="nowhere")
    (failed,) = record.parse((again.project / "demo" / record.FILE).read_text())
    assert failed.outcome == "failed"
    assert "CODE_DIR not done: " in failed.detail


def test_a_checkout_follows_its_branch(place: Place) -> None:
    place.setup()
    new = place.commit("two")
    line = place.setup()["CODE_DIR"]
    assert (line.state, place.head) == ("updated", new)
    assert new[:10] in line.text
    assert git(place.project / "code", "symbolic-ref", "--short", "HEAD") == "main"


@pytest.mark.parametrize("kind", ["light tag", "annotated tag", "commit", "default branch"])
def test_a_checkout_can_be_at_a_tag_or_commit(place: Place, kind: str) -> None:
    old = git(place.upstream, "rev-parse", "HEAD")
    annotated = ("-a", "-m", "x") if kind == "annotated tag" else ()
    git(place.upstream, "tag", *annotated, "1.0")
    new = place.commit("two")
    ref = {"commit": old, "default branch": ""}.get(kind, "1.0")
    assert place.setup(ref=ref)["CODE_DIR"].state == "made"
    assert place.head == (old if ref else new)
    assert place.setup(ref=ref)["CODE_DIR"].state == "ok"
    newer = place.commit("three")
    assert place.setup(ref=newer)["CODE_DIR"].state == "updated"
    assert place.setup(ref=ref)["CODE_DIR"].state == ("updated" if ref else "ok")
    assert place.head == (old if ref else newer)


@pytest.mark.parametrize("mine", ["change", "commit"])
def test_what_somebody_changed_in_a_checkout_stays(place: Place, mine: str) -> None:
    place.setup()
    code = place.project / "code"
    (code / "code.py").write_text("mine")
    if mine == "commit":
        git(code, "commit", "--quiet", "--all", "-m", "mine")
    here = place.head
    place.commit("two")
    line = place.setup()["CODE_DIR"]
    assert line.state == "needs you"
    assert ("local changes" if mine == "change" else "commits that are not pushed") in line.text
    assert "stash" in line.remedy
    assert (place.head, (code / "code.py").read_text()) == (here, "mine")


def test_local_changes_at_the_right_commit_are_told(place: Place) -> None:
    place.setup()
    (place.project / "code" / "code.py").write_text("mine")
    line = place.setup()["CODE_DIR"]
    assert (line.state, line.text[-20:]) == ("ok", ", with local changes")


def test_a_directory_that_is_no_checkout_is_left_alone(place: Place) -> None:
    code = place.project / "code"
    code.mkdir(parents=True)
    (code / "README.md").write_text("a copy")
    line = place.setup()["CODE_DIR"]
    assert (line.state, line.text) == ("left", "exists but is not a git checkout: left as it is")
    assert [path.name for path in code.iterdir()] == ["README.md"]


def test_an_empty_directory_becomes_the_checkout(place: Place) -> None:
    (place.project / "code").mkdir(parents=True)
    assert place.setup()["CODE_DIR"].state == "made"
    assert place.setup()["CODE_DIR"].state == "ok"


def test_a_checkout_of_another_repository_is_left_alone(place: Place) -> None:
    place.setup()
    git(place.project / "code", "remote", "set-url", "origin", "git@github.com:alice/code.git")
    line = place.setup()["CODE_DIR"]
    assert line.state == "left"
    assert "git@github.com:alice/code.git" in line.text


def test_a_clone_that_fails_says_why_and_leaves_nothing_in_its_place(place: Place) -> None:
    lines = place.setup(ref="9.9")
    assert lines["CODE_DIR"].state == "needs you"
    assert "no branch, tag or commit 9.9" in lines["CODE_DIR"].text
    assert not (place.project / "code").exists()
    assert lines["STATIC_DIR"].state == "made", "the rest is done all the same"
    assert place.setup()["CODE_DIR"].state == "made", "and the next run gets through"


def test_a_repository_that_does_not_answer_is_told(place: Place) -> None:
    place.setup()
    place.upstream.rename(place.root / "gone")
    line = place.setup()["CODE_DIR"]
    assert line.state == "needs you"
    assert "could not be asked for main" in line.text
    assert "There is no such repository" in line.text + line.remedy


def test_a_ref_that_there_is_not_is_told(place: Place) -> None:
    place.setup()
    line = place.setup(ref="release-9")["CODE_DIR"]
    assert line.state == "needs you"
    assert "has no branch or tag 'release-9'" in line.text


def test_a_closed_directory_of_ours_is_opened_and_nothing_else_of_its_mode(place: Place) -> None:
    place.setup()
    (place.project / "out").chmod(0o2750)
    line = place.setup()["permissions"]
    assert (line.state, line.where) == ("updated", str(place.project / "out"))
    assert (place.project / "out").stat().st_mode & 0o7777 == 0o2751
    again = place.setup().get("permissions")
    assert again is None or again.state == "ok", "none: a directory above the test's is closed"


def test_a_closed_directory_above_the_project_is_named_with_its_command(place: Place) -> None:
    place.setup()
    above = place.project.parent
    above.chmod(0o750)
    line = place.setup()["permissions"]
    assert (line.state, line.where) == ("needs you", str(above))
    assert f"chmod o+x -- {above}" in line.remedy
    assert above.stat().st_mode & 0o777 == 0o750


def test_nothing_is_made_outside_the_project_directory(place: Place) -> None:
    outside = place.root / "cfs" / "desi" / "spectro"
    (place.stack / "stack.env").write_text(
        f"STATIC_DIR=out\nDATA_DIR={outside}\nCODE_DIR={outside}/code\n"
    )
    lines = place.setup()
    assert lines["DATA_DIR"].state == lines["CODE_DIR"].state == "needs you"
    assert f"mkdir -p -- {outside}" in lines["DATA_DIR"].remedy
    assert "git clone" in lines["CODE_DIR"].remedy
    assert not outside.exists()


def test_a_place_that_spin_can_t_mount_is_refused_before_the_login(place: Place) -> None:
    with pytest.raises(SpinstackError) as error:
        project.setup(place.session(project_dir="/global/homes/a/alice/site"))
    assert "Spin can't mount /global/homes/a/alice/site" in error.value.details
    assert not place.node.scripts


def test_a_link_out_of_spin_s_reach_is_refused(place: Place) -> None:
    scratch = place.root / "scratch"
    scratch.mkdir()
    place.project.symlink_to(scratch)
    centre = {"storage": {"mountable": [str(place.root / "cfs")], "unmountable": [str(scratch)]}}
    with pytest.raises(SpinstackError, match="it leads to") as error:
        project.setup(place.session(centre=centre))
    assert str(scratch) in error.value.what
    assert not list(scratch.iterdir())


def test_paths_with_blanks_quotes_and_dollars_are_taken_as_they_are(place: Place) -> None:
    place.project = place.root / "cfs" / 'it\'s $HOME; a `b` \\ "c"'
    assert states(place.setup())["CODE_DIR"] == "made"
    assert (place.project / "code" / "code.py").exists()
    assert set(states(place.setup()).values()) == {"ok"}


def test_a_key_that_rancher_refuses_is_no_good_key(place: Place) -> None:
    place.setup()
    refusal = 'level=fatal msg="Bad response statusCode [401]. Status [401 Unauthorized]."'
    place.node.rancher = f"echo 'time=\"x\" {refusal}'; exit 1"
    line = place.setup()["Rancher key"]
    assert line.state == "needs you"
    assert "Rancher does not accept the account's key" in line.text
    assert "move ~/.rancher/cli.json on the login node away" in line.remedy
    assert "`invoke setup`" in line.remedy
    (place.node.home / ".rancher/cli.json").unlink()
    assert place.setup()["Rancher key"].state == "made"


def test_a_login_node_without_rancher_is_told_and_the_rest_is_made(place: Place) -> None:
    place.node.__class__ = WithoutRancher
    lines = place.setup()
    assert lines["Rancher key"].state == "needs you"
    assert "no rancher command" in lines["Rancher key"].text
    assert lines["CODE_DIR"].state == "made"


class WithoutRancher(ShellNode):
    """A login node where `module load spin` brings nothing."""

    @property
    def path(self) -> str:
        return os.environ["PATH"]


def test_a_checkout_that_no_service_mounts_is_a_wrong_setting(place: Place) -> None:
    checkouts = {"CODES_DIR": {"url": "https://example.org/x"}}
    with pytest.raises(SpinstackError, match="CODES_DIR") as error:
        project.setup(place.session(checkouts=checkouts))
    assert "CODE_DIR" in error.value.remedy


def test_a_dry_run_shows_every_command_and_does_none(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    before = snapshot(place.root)
    assert project.setup(place.session(dry=True)) == []
    shown = capsys.readouterr().out
    for part in ("mkdir -p", "git clone", "spin-keygen.sh", "merge --quiet --ff-only", "id -u"):
        assert part in shown, part
    assert snapshot(place.root) == before
