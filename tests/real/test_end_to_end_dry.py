"""`--dry` of every task: shows the main commands, and touches nothing."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from spinstack.tasks import ns

from ..task_words import typed as words_of
from .stage import PORT, Stage, Typed

pytestmark = pytest.mark.real("engine", "registry")

# What is typed, and what has to be shown for it.
TASKS = {
    "new --output elsewhere": ["cookiecutter "],
    "check": ["# reads the files in "],
    "login": ["ssh -M ", "-o ControlPersist=36000", " -- demo@127.0.0.1"],
    "login --status": ["# asks the ssh process that holds the login; reads certificates"],
    "login --sshproxy --person me": ["sshproxy.sh -u me -c demo"],
    "logout": ["# ends the open login"],
    "build": ["docker image build ", "--tag 127.0.0.1:", "app/Dockerfile", "web/Dockerfile"],
    "push": ["docker image push 127.0.0.1:"],
    "registry.login": ["docker login --username demo --password-stdin 127.0.0.1:"],
    "render": ["image: 127.0.0.1:", f"WEB_PORT={PORT}"],
    "deploy": [
        *("docker image build ", "docker image push ", "ssh "),
        *("module load spin", "export RANCHER_ENVIRONMENT=dev-cattle", "export UID"),
        *("spin-keygen.sh", "tar -xzpf -", "rancher up --render ", "setsid bash -l "),
        *("rancher up -d --upgrade ", "rancher ps ", "SITE/", "rancher up -d --confirm-upgrade "),
    ],
    "confirm": ["rancher up -d --confirm-upgrade "],
    "rollback": ["rancher up -d --rollback "],
    "status": ["rancher ps --all --format json", "python3 -m nightwatch_web.workers --json"],
    "logs": ["rancher logs ", "nightwatch-desi/app", "nightwatch-desi/web"],
    "logs --service web --follow": ["rancher logs --follow ", "stack=nightwatch-desi", "(web)"],
    "url": ["rancher ps --all --format json"],
    "history --since 2w": ["; then cat /", "/nightwatch-desi/history.jsonl"],
    "cite --at 1h": ["/history.jsonl", "rancher ps --all --format json"],
    "stop": ["rancher stop --type stack nightwatch-desi", ">>history.jsonl"],
    "rm": ["rancher rm --type stack nightwatch-desi"],
    "rehearsal.start": ["is already running"],
    "rehearsal.start --name other": ["docker image ", "spin_rehearsal.serve "],
    "rehearsal.status": ["is running"],
    "rehearsal.stop": ["kill ", "docker rm ", "rm --recursive "],
}

# Nightwatch's stack mounts no volume.
REFUSED = {"volume.save", "volume.load"}


def _all_tasks() -> dict[str, list[str]]:
    """The tasks above, and any other of the collection with nothing expected of its words."""
    named = {typed.split()[0] for typed in TASKS}
    others = (name for name in ns.task_names if name not in named)
    return {**TASKS, **{" ".join(words_of(name)): [] for name in others}}


ALL = _all_tasks()


def _files(*directories: Path) -> dict[str, tuple[int, int]]:
    """Every file but logs, and the memory of the pretend Rancher, which forgets by itself:
    path -> (size, time of its last change)."""
    return {
        str(path): (path.lstat().st_size, path.lstat().st_mtime_ns)
        for directory in directories
        for path in directory.rglob("*")
        if path.suffix != ".log" and path.name != "spin.json" and path.is_file()
    }


def _rancher(stage: Stage) -> set[tuple[str, str]]:
    """The stacks and services that are there, with what they were told to be."""
    kept = json.loads((stage.private / "spin.json").read_text())
    there = [*kept["stacks"].values(), *kept["services"].values(), *kept["secrets"].values()]
    return {
        (thing["id"], str(thing.get("name"))) for thing in there if thing.get("state") != "removed"
    }


@pytest.fixture(scope="module")
def running(stage: Stage, first_deploy: Typed) -> None:
    """Something that could be touched."""
    stage.restore()
    stage.done("deploy")


@pytest.fixture
def shims(tmp_path: Path) -> Iterator[Path]:
    """A directory of programs for the PATH, each of which only writes down its name; at the
    end none may have been run."""
    programs, calls = tmp_path / "bin", tmp_path / "calls"
    programs.mkdir()
    for name in ("docker", "podman", "ssh", "cookiecutter", "apt-get", "kill", "rm", "curl"):
        program = programs / name
        program.write_text(f'#!/bin/sh\necho "$0 $*" >> {calls}\nexit 1\n')
        program.chmod(0o755)
    yield programs
    assert not calls.exists(), calls.read_text()


@pytest.mark.parametrize("typed", ALL)
def test_a_dry_run_shows_its_commands_and_touches_nothing(
    stage: Stage, running: None, shims: Path, typed: str
) -> None:
    # Its `login` is rewritten at each login.
    watched = (stage.private, stage.work, stage.file_systems, stage.home)
    before, containers, rancher = _files(*watched), stage.containers(), _rancher(stage)
    path = os.pathsep.join([str(shims), stage.environment()["PATH"]])
    dry = stage.type("invoke", "--dry", *typed.split(), at=stage.stack, PATH=path)
    assert dry.code == (2 if typed.split()[0] in REFUSED else 0), dry
    for command in ALL[typed]:
        assert command in dry.out + dry.err, dry
    assert _files(*watched) == before
    assert stage.containers() == containers
    assert _rancher(stage) == rancher
