"""What errors and findings advise can be done as it is written: the tasks, options, files and
settings that they name exist."""

from __future__ import annotations

import ast
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import paramiko
import pytest
import yaml

from spinstack.config import schema, settings
from spinstack.console.advice import addressed
from spinstack.console.console import Console
from spinstack.console.error_table import packaged
from spinstack.errors import SpinstackError
from spinstack.tasks import ns
from spinstack.transport import waits
from spinstack.transport.fabric import known_hosts
from spinstack.transport.fabric.login import changed_host_key
from tests.baking import application
from tests.conftest import REPOSITORY

# A stack as the template makes it.
TEMPLATE = application().parent
# Options of Invoke itself.
INVOKES = {"--debug", "--dry", "--list", "--help", "--echo"}


def _strings() -> Iterator[tuple[str, str]]:
    """Every text in the package's code, what is filled in left as `…`; docstrings too, which are
    the tasks' help."""
    for path in sorted((REPOSITORY / "spinstack").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            where = f"{path.relative_to(REPOSITORY)}:{getattr(node, 'lineno', 0)}"
            if isinstance(node, ast.JoinedStr):
                parts = (p.value if isinstance(p, ast.Constant) else "…" for p in node.values)
                yield where, "".join(map(str, parts))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield where, node.value


def _advice() -> Iterator[tuple[str, str]]:
    for entry in packaged():
        yield f"known_errors.yaml, {entry.id}", " ".join(f"{entry.cause} {entry.remedy}".split())
    rules = yaml.safe_load((REPOSITORY / "spinstack/checks/rules.yaml").read_text())
    for name, rule in rules.items():
        yield f"rules.yaml, {name}", str(rule)
    yield from _strings()


ADVICE = list(_advice())


def _commands() -> Iterator[tuple[str, str, list[str]]]:
    """Where a command is named, its task, and its options."""
    command = re.compile(
        r"\binvoke ([a-z][a-z-]*(?:\.[a-z-]+)?)(?=[\s`'\",;:)…]|\.?$)((?:[^`;,\n]*))"
    )
    for where, text in ADVICE:
        for quoted in re.findall(r"`(invoke [^`]*)`", text):
            found = command.match(quoted)
            if found:
                yield where, found[1], re.findall(r"(?<=\s)--?[a-z][a-z-]*", found[2])


def test_every_command_that_is_advised_exists() -> None:
    tasks = {name: ns[name] for name in ns.task_names}
    for names in ns.task_names.values():
        tasks.update((name, ns[name]) for name in names)
    named = list(_commands())
    assert len(named) > 100
    for where, name, options in named:
        assert name in tasks, f"{where}: invoke {name}"
        known = {flag for arg in tasks[name].get_arguments() for flag in _flags(arg.names)}
        assert set(options) <= known | INVOKES, f"{where}: invoke {name} {options}"


def _flags(names: tuple[str, ...]) -> set[str]:
    return {f"--{name.replace('_', '-')}" if len(name) > 1 else f"-{name}" for name in names}


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("run `invoke setup`, which", "run `invoke setup --to dev`, which"),
        ("`invoke rollback --release ID`", "`invoke rollback --to dev --release ID`"),
        ("`invoke check --to …` shows", "`invoke check --to dev` shows"),
        ("`invoke registry.login --to dev`", "`invoke registry.login --to dev`"),
        ("`invoke rehearsal.start`, `invoke --list`", "`invoke rehearsal.start`, `invoke --list`"),
        ("invoke deploy, `docker ps`", "invoke deploy, `docker ps`"),
    ],
)
def test_a_command_that_is_advised_is_for_the_destination_that_was_named(
    text: str, wanted: str
) -> None:
    """Typed as it stands, `invoke setup` would go to the rehearsal, which the template sets."""
    assert addressed(text, "dev") == wanted
    assert addressed(text, "") == text


def test_only_tasks_without_a_destination_are_advised_without_it() -> None:
    for name in ns.task_names:
        assert ("--to" in addressed(f"`invoke {name}`", "dev")) == ns[name].wants_session, name


def test_a_command_that_is_advised_stands_in_backquotes() -> None:
    """Only there does it get the destination. (What has several lines is a task's help.)"""
    command = re.compile(r"(?<!`)\binvoke ([a-z]+(?:\.[a-z]+)?)")
    for where, text in ADVICE:
        for name in command.findall(text) if "\n" not in text else ():
            assert name not in ns.task_names or not ns[name].wants_session, f"{where}: {text}"


def test_errors_notes_and_warnings_name_the_destination(capsys: pytest.CaptureFixture[str]) -> None:
    console = Console(to="dev")
    console.error(SpinstackError("no key", remedy="run `invoke setup`"))
    console.note("then `invoke confirm`")
    console.warn("see `invoke status`")
    console.advice("fix: `invoke env`")
    told = capsys.readouterr()
    for command in ("setup", "confirm", "status", "env"):
        assert f"`invoke {command} --to dev`" in told.err + told.out


def test_every_file_of_a_stack_that_is_advised_exists() -> None:
    for where, text in ADVICE:
        if where.startswith("known_errors"):
            for name in re.findall(r"\b(?:app|web)/[\w./]*\w", text):
                assert (TEMPLATE / name).exists(), f"{where}: {name}"


@pytest.mark.parametrize(
    "words", [r"\(setting (\w+)\)", r"\bset (\w+) in invoke\.yaml", r"\bset (?:the )?(\w+): "]
)
def test_every_setting_that_is_advised_exists(words: str) -> None:
    keys = (*schema.STACK_KEYS, *schema.DESTINATION_KEYS, *schema.KUBERNETES_KEYS)
    known = {key.name for key in keys}
    # Below a checkout, and below an image.
    known |= {"ref", "url", "context"}
    found = [(where, name) for where, text in ADVICE for name in re.findall(words, text, re.I)]
    assert found
    for where, name in found:
        assert name in known, f"{where}: {name}"


def test_what_is_advised_for_uwsgi_stands_in_its_settings() -> None:
    for entry in packaged():
        for name, ini in re.findall(r"(?:raise|of) ([\w-]+) in (app/\w+\.ini)", entry.remedy):
            settings = (TEMPLATE / ini).read_text()
            assert re.search(rf"^{name} = ", settings, re.MULTILINE), f"{entry.id}: {name}"


def test_fewer_workers_as_advised_leave_uwsgi_startable(tmp_path: Path) -> None:
    """It refuses as many processes that are always there as there may be."""
    text = (TEMPLATE / "app/capacity.py").read_text()
    for limit in range(1, 9):
        changed = re.sub(r"^LIMIT = \d+$", f"LIMIT = {limit}", text, flags=re.MULTILINE)
        module: dict[str, Any] = {"__name__": "capacity"}
        exec(changed, module)
        assert all(module["fewest"](n) < module["most"](n) <= limit for n in (1, 2, 4, 64))


@pytest.mark.parametrize("port", [22, 2222])
def test_a_changed_host_key_is_forgotten_by_the_command_that_is_advised(
    tmp_path: Path, port: int
) -> None:
    key, other = (paramiko.ECDSAKey.generate() for _ in range(2))
    name, path = known_hosts.name_of("login.example", port), tmp_path / "known hosts"
    path.write_text(f"{name} {key.get_name()} {key.get_base64()}\n")
    error = changed_host_key(
        paramiko.BadHostKeyException("login.example", other, key),
        known_hosts.forget(name, [tmp_path / "none", path]),
    )
    (command,) = re.findall(r"`(.*)`", error.remedy)
    subprocess.run(shlex.split(command), check=True, capture_output=True)
    assert known_hosts.keys(name, [path]) == {}


def test_what_is_to_be_tried_by_hand_goes_the_way_of_the_settings() -> None:
    own = {"environment": "dev-cattle", "project_dir": "/x", "host": "login.example"}
    for more, command in (
        ({}, "ssh -v login.example"),
        ({"user": "me", "port": 2222}, "ssh -v -p 2222 me@login.example"),
    ):
        raw = {"stack": "x", "destinations": {"there": {**own, **more}}}
        to = settings.load({"spinstack": raw}, Path("/")).destination("there")
        assert waits.by_hand(to) == command
