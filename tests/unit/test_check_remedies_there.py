"""What a finding of `invoke check --to` advises, done on the login node, removes it."""

from __future__ import annotations

import itertools
import json
import os
import re
import shlex
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from spinstack.config.settings import Destination
from spinstack.config.stack import Stack
from spinstack.rules.finding import Finding, errors
from tests.unit.test_check_there import (
    GROUP,
    ME,
    OTHER,
    PROJECT,
    SEEN,
    SITE,
    changed,
    look,
    made,
    node,
    running,
    tree,
    without,
)

__all__ = ["made"]

Made = tuple[Destination, Stack]

# Of those that a login node has to answer: what is advised, and what makes it answer then.
ELSEWHERE = {
    "project-dir": "tests/real/test_setup.py: `invoke setup` creates it",
    "rancher-command": "tests/real/test_check_rehearsal.py: modules",
    "rancher-key": "tests/real/test_setup.py: `invoke setup` gets one",
    "rancher-states": "tests/real/test_setup.py: a key that is refused is replaced",
    "disk-space": "tests/real/test_bad_days_files.py: a disk that is full",
    "disk-quota": "needs a file system with quotas; the remedy is that of disk-space",
    "uid-unset": "needs another account; a variable that bash itself sets can only be unset there",
}
Place = tuple[int, ...]


def run(command: str, there: dict[str, Any]) -> None:
    """What `chmod` and `chgrp` do to directories there, as a shell reads the command."""
    for part in command.split(" && "):
        program, change, path = shlex.split(part)
        mode, uid, gid = there[path]
        if program == "chgrp":
            there[path] = (mode, uid, int(change))
            continue
        assert program == "chmod", command
        who, letters = change.split("+")
        bits = sum({"r": 4, "w": 2, "x": 1}[letter] for letter in letters)
        there[path] = (mode | bits << {"u": 6, "g": 3, "o": 0}[who], uid, gid)


def follow(found: list[Finding], there: dict[str, Any]) -> None:
    for finding in found:
        assert finding.rule in ("mount-walk", "mount-access"), finding
        asked = re.fullmatch(r"(?:ask \w+ to run: )?(ch\w+ .*)", finding.remedy)
        assert asked, finding.remedy
        run(asked[1], there)


@pytest.mark.parametrize("place", SITE)
def test_the_commands_that_are_advised_let_the_containers_in(made: Made, place: str) -> None:
    """Whatever the directory's mode is, and whosever it is: a closed way first, then the access;
    nothing becomes writable for everybody."""
    path = f"{PROJECT}/{place}"
    for mode, uid, gid in itertools.product(
        (0, 0o111, 0o700, 0o711, 0o750, 0o755, 0o640), (ME, OTHER), (GROUP, OTHER, 1000)
    ):
        there = {**tree(), path: (mode, uid, gid)}
        for _ in range(2):
            follow(look(made, node(there)), there)
        assert look(made, node(there)) == [], (mode, uid, gid)
        assert not there[path][0] & 0o002


def test_a_directory_above_is_opened_by_the_command_that_is_advised(made: Made) -> None:
    there = {**tree(), PROJECT: (0o750, ME, GROUP), "/global/cfs/cdirs/desi": (0o750, OTHER, 1)}
    while found := look(made, node(there)):
        follow(found, there)


@pytest.mark.parametrize("place", ["desiutil", "nightwatchtest/data"])
def test_a_missing_directory_is_one_that_setup_or_mkdir_makes(made: Made, place: str) -> None:
    """Setup creates what is in the project directory, and nothing elsewhere."""
    found = look(made, node(without(f"{PROJECT}/{place}")))
    assert {finding.remedy for finding in found} == {
        "correct the path, or run `invoke setup --to dev`"
    }
    elsewhere = replace(made[0], env={"DESIUTIL_DIR": "/global/cfs/cdirs/desi/code/x y"})
    (told,) = look((elsewhere, made[1]), node())
    assert told.where == "invoke.yaml, destination dev, env.DESIUTIL_DIR"
    command = told.remedy.partition("run there: ")[2]
    assert shlex.split(command) == ["mkdir", "-p", "/global/cfs/cdirs/desi/code/x y"]
    code = {"/global/cfs/cdirs/desi/code": (0o751, ME, GROUP)}
    made_there = {**tree(), **code, "/global/cfs/cdirs/desi/code/x y": (0o751, ME, GROUP)}
    assert look((elsewhere, made[1]), node(made_there)) == []


def test_the_port_that_is_advised_is_free_and_open(made: Made) -> None:
    destination, stack = made
    ports = ("60037:8080/tcp", "60038:1/tcp", "60039:1/tcp")
    states = "".join(running(f"other/s{n}", port)[0] for n, port in enumerate(ports))
    (told,) = look(made, node(states=(states, 0)))
    assert told.where.startswith("stack.env:") and "(WEB_PORT)" in told.where
    port = re.findall(r"use (\d+)", told.remedy)[0]
    assert port == "60040"
    other = replace(destination, env={"WEB_PORT": port})
    assert look((other, stack), node(states=(states, 0))) == []


def test_what_is_advised_for_a_tree_opens_every_directory_in_it(made: Made, tmp_path: Path) -> None:
    closed = [tmp_path / "20260101", tmp_path / "20260102" / "it's a name"]
    for path in closed:
        path.mkdir(parents=True)
        path.chmod(0o700)
    first = [[0o700, ME, GROUP, str(path)] for path in closed]
    line = {"tree": str(tmp_path), "directories": 4, "closed": 2, "unreadable": 0, "first": first}
    (found,) = look(made, node(trees=(json.dumps(line), 0)), deep=True)
    subprocess.run(["bash", "-c", found.remedy], check=True)
    assert all(
        path.stat().st_mode & 0o001 for path, _, _ in os.walk(tmp_path) for path in [Path(path)]
    )
    line["first"] = [*first, [0o700, OTHER, OTHER, str(tmp_path / "x")]]
    (found,) = look(made, node(trees=(json.dumps(line), 0)), deep=True)
    assert found.remedy.startswith(f"to be run by uid {OTHER} and you: find ")


def test_every_rule_of_the_login_node_has_a_remedy_that_is_followed_somewhere(made: Made) -> None:
    here = {"mount-walk", "mount-access", "mount-source", "port-taken"}
    assert {rule for rule, _, _ in SEEN} == here | set(ELSEWHERE)
    for rule, _, answers in SEEN:
        for finding in look(made, node(**answers)):
            assert rule == finding.rule and finding.remedy


def test_a_module_that_is_advised_is_one_that_can_be_loaded(made: Made) -> None:
    (answers,) = [answers for rule, _, answers in SEEN if rule == "rancher-command"]
    typo = replace(made[0], modules=("spinn",))
    assert errors(look((typo, made[1]), node(**answers)))[0].remedy == (
        "set modules: [spin] in invoke.yaml"
    )
    (same,) = look(made, node(**answers))
    assert same.remedy == "set modules: in invoke.yaml to one that `module avail spin` lists there"


def test_a_link_in_a_circle_is_corrected(made: Made) -> None:
    circle = changed(f"{PROJECT}/desiutil", 0o777, ME, GROUP, "desiutil")
    (found,) = look(made, node(circle))
    assert found.remedy == "correct the link"
    assert look(made, node(changed(f"{PROJECT}/desiutil", 0o777, ME, GROUP, "desimodel"))) == []
