"""What `setup` says of things that are not one's own, and how a person reads it all."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
from invoke.config import Config
from invoke.context import Context
from invoke.exceptions import Exit

from spinstack.config.settings import Checkout
from spinstack.remote.history.checkouts import Source
from spinstack.setup import project
from spinstack.setup.facts import Facts, Place, Repository
from spinstack.setup.plan import Line, plan
from spinstack.tasks.setup import setup

PROJECT = "/global/cfs/cdirs/desi/alice"
HEAD = "a" * 40
ALICE = Place("1001", "alice", "drwxr-x--x")
BOB = Place("1002", "bob", "drwxr-x--x")
CLOSED = Place("1002", "bob", "drwxrwx---")


def lines(source: Source, there: dict[str, Place], **facts: object) -> list[Line]:
    """What is planned for one mounted directory, with these places on the login node."""
    known = Facts("1001", "alice", places={"/": BOB, PROJECT: ALICE, **there}, **facts)  # type: ignore[arg-type]
    return [item.line for item in plan(PROJECT, [source], known)]


def repository(origin: str = "https://github.com/desihub/nightwatch.git") -> Repository:
    return Repository(HEAD, origin, False, False, HEAD, True, False, "")


CODE = Source(
    "NIGHTWATCH_DIR",
    f"{PROJECT}/nightwatch",
    checkout=Checkout("NIGHTWATCH_DIR", "https://github.com/desihub/nightwatch", "main"),
)


def access(*paths: str, mine: str = "rwx") -> dict[str, str]:
    return {PROJECT: "rwx", **dict.fromkeys(paths, mine)}


def test_a_closed_directory_of_somebody_else_is_to_be_asked_for() -> None:
    data = Source("DATA_DIR", "/global/cfs/cdirs/desi/spectro")
    there = {data.path: ALICE, "/global/cfs/cdirs/desi": CLOSED}
    line = lines(data, there, access=access(data.path))[-1]
    assert line.state == "needs you"
    assert line.where == "/global/cfs/cdirs/desi"
    assert "belongs to bob (drwxrwx---)" in line.text
    assert line.remedy == "ask bob to run: chmod o+x -- /global/cfs/cdirs/desi"


def test_what_a_closed_directory_hides_is_not_to_be_created() -> None:
    """Its line and that of the directory ask for the same."""
    code = dataclasses.replace(CODE, path="/global/cfs/cdirs/bob/nightwatch")
    hidden, closed = lines(code, {"/global/cfs/cdirs/bob": CLOSED})[1:]
    assert "can't be seen" in hidden.text
    assert hidden.remedy == f"{closed.remedy}; then run setup again"
    # Below a directory that is open it is missing.
    (missing, _) = lines(code, {"/global/cfs/cdirs/bob": BOB})[1:]
    assert "is missing" in missing.text


def test_the_owner_is_not_told_to_open_it_to_the_group() -> None:
    static = Source("STATIC_DIR", f"{PROJECT}/output", writable=True)
    line = lines(static, {static.path: ALICE}, access=access(static.path, mine="rx"))[1]
    assert line.remedy == f"run: chmod u+rwx {static.path}"


def test_where_a_link_leads_is_walked_too() -> None:
    data = Source("DATA_DIR", f"{PROJECT}/data")
    there = {data.path: ALICE, "/global/cfs/cdirs/archive": CLOSED}
    real = {data.path: "/global/cfs/cdirs/archive/data"}
    line = lines(data, there, access=access(data.path), real=real)[-1]
    assert line.where == "/global/cfs/cdirs/archive"


def test_the_sticky_bit_with_x_lets_pass_and_without_does_not() -> None:
    assert Place("0", "root", "drwxrwxrwt").passable
    assert not Place("0", "root", "drwxrwxrwT").passable


def test_a_static_directory_that_we_can_t_write_needs_its_owner() -> None:
    static = Source("STATIC_DIR", f"{PROJECT}/output", writable=True)
    line = lines(static, {static.path: BOB}, access=access(static.path, mine="rx"))[1]
    assert line.state == "needs you"
    assert "alice can't write to it" in line.text
    assert line.remedy.startswith("ask bob to run: chmod g+rwx")


def test_a_checkout_of_somebody_else_is_used_as_it_is() -> None:
    found = {CODE.path: repository()}
    line = lines(CODE, {CODE.path: BOB}, access=access(CODE.path, mine="rx"), repositories=found)[1]
    assert (line.state, line.text) == ("left", f"bob's checkout, at {HEAD[:10]}: left as it is")


@pytest.mark.parametrize(
    ("origin", "state"),
    [
        ("https://github.com/desihub/nightwatch", "ok"),
        ("git@github.com:desihub/nightwatch.git", "ok"),
        ("ssh://git@GitHub.com/desihub/nightwatch/", "ok"),
        ("https://github.com/alice/nightwatch", "left"),
    ],
)
def test_one_repository_has_many_spellings(origin: str, state: str) -> None:
    found = {CODE.path: repository(origin)}
    line = lines(CODE, {CODE.path: ALICE}, access=access(CODE.path), repositories=found)[1]
    assert line.state == state


FOUND = [
    Line("ok", "project directory", PROJECT, "yours"),
    Line("made", "STATIC_DIR", f"{PROJECT}/output", "made"),
    Line("needs you", "permissions", "/global", "lacks o+x", "ask bob to run: chmod o+x /global"),
]


def type_setup(monkeypatch: pytest.MonkeyPatch, found: list[Line], **options: bool) -> int:
    """Exit code of `invoke setup` that finds these lines."""
    monkeypatch.setattr(project, "setup", lambda session, yes: found)
    settings = {"spinstack": {"stack": "demo", "destination": "dev", "project_dir": PROJECT,
                              "destinations": {"dev": {"environment": "dev-cattle"}}}}  # fmt: skip
    try:
        setup(Context(Config(overrides=settings)), **options)
    except Exit as exit_:
        return int(exit_.code or 0)
    return 0


def test_a_person_reads_a_line_for_each_thing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    assert type_setup(monkeypatch, FOUND) == 1
    assert capsys.readouterr().out.splitlines() == [
        f"ok         project directory  {PROJECT}: yours",
        f"made       STATIC_DIR         {PROJECT}/output: made",
        "needs you  permissions        /global: lacks o+x",
        "                              fix: ask bob to run: chmod o+x /global",
        "demo at dev: 1 made or updated, 1 needs you",
    ]
    assert type_setup(monkeypatch, FOUND[:1]) == 0
    assert capsys.readouterr().out.endswith("demo at dev: everything is ready, nothing to do\n")


def test_a_script_reads_json(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert type_setup(monkeypatch, FOUND, json=True) == 1
    read = json.loads(capsys.readouterr().out)
    assert [line["state"] for line in read] == ["ok", "made", "needs you"]
    assert set(read[0]) == {"state", "what", "where", "text", "remedy"}
