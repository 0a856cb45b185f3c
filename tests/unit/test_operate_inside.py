"""Commands in containers: which container, which words arrive, whose output is shown."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from invoke.exceptions import Exit

from spinstack.errors import SpinstackError, UsageError
from spinstack.platforms.rancher1 import commands
from spinstack.tasks import exec
from spinstack.transport import relay
from spinstack.transport.command import Command
from spinstack.transport.relay import Gate
from tests.unit.operating import BOTH, STACK, Answers, Operator, container, service
from tests.unit.stack_session import run

# An upgrade has kept an old container of the same name.
TWINS = container("1i1", "app-1", "stopped") + container("1i5", "app-1") + container("1i6", "app-2")
FOUND: Answers = {"states": (BOTH, 0), "containers": (TWINS, 0)}


def test_exec_takes_the_container_that_runs_by_its_id(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    session = Operator(tmp_path, {**FOUND, "interact": ("Python 3.11\n", 0)})
    run(exec.exec_, session, service="app", command="python -V")
    assert session.node.sent[-1].endswith(
        """rancher exec 1i5 sh -c 'exec "$@" </dev/null' sh python -V"""
    )
    assert "module load spin && export RANCHER_ENVIRONMENT=dev-cattle" in session.node.sent[-1]
    assert capsys.readouterr().out == "Python 3.11\n"


def test_exec_ends_as_the_command_does(tmp_path: Path) -> None:
    session = Operator(tmp_path, {**FOUND, "interact": ("", 7)})
    with pytest.raises(Exit) as ended:
        run(exec.exec_, session, service="app", command="false")
    assert ended.value.code == 7


def test_the_input_is_counted_since_its_end_can_not_be_sent(tmp_path: Path) -> None:
    file = tmp_path / "input"
    file.write_bytes(b"12345")
    session = Operator(tmp_path, {**FOUND, "interact": ("", 0)})
    run(exec.exec_, session, service="app", command="cat", input=str(file), number=2)
    assert session.node.inputs == [b"12345"]
    assert """1i6 sh -c 'head -c 5 | "$@"' sh cat""" in session.node.sent[-1]


def test_too_much_input_is_refused_before_anybody_logs_in(tmp_path: Path) -> None:
    file = tmp_path / "input"
    file.write_bytes(b"x" * (commands.LARGEST_INPUT + 1))
    session = Operator(tmp_path, FOUND)
    with pytest.raises(UsageError, match="too many"):
        run(exec.exec_, session, service="app", command="cat", input=str(file))
    assert not session.steps


@pytest.mark.parametrize("command", ["", "  ", "echo 'open"])
def test_a_command_that_is_none(tmp_path: Path, command: str) -> None:
    with pytest.raises(UsageError):
        run(exec.exec_, Operator(tmp_path, {}), service="app", command=command)


def test_a_shell_needs_a_terminal(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="needs a terminal"):
        run(exec.shell, Operator(tmp_path, {}), service="app")


def test_a_shell_on_a_terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay, "on_terminal", lambda: True)
    session = Operator(tmp_path, {**FOUND, "interact": ("", 0)})
    run(exec.shell, session, service="app")
    assert "rancher exec -it 1i5 sh -c 'command -v bash" in session.node.sent[-1]


@pytest.mark.parametrize(
    ("states", "containers", "number", "said"),
    [
        (service("app", "inactive", ""), "", 0, "it is inactive"),
        (BOTH, container("1i1", "app-1", "stopped"), 0, "it is healthy"),
        (BOTH, TWINS, 3, "has no container 3"),
        ("", "", 0, "it is not there"),
    ],
)
def test_no_such_container(
    tmp_path: Path, states: str, containers: str, number: int, said: str
) -> None:
    session = Operator(tmp_path, {"states": (states, 0), "containers": (containers, 0)})
    with pytest.raises(SpinstackError) as error:
        run(exec.exec_, session, service="app", command="ls", number=number)
    assert said in error.value.what


def test_one_of_two_services_has_to_be_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as error:
        run(exec.exec_, Operator(tmp_path, {}), command="ls")
    assert "app, web" in error.value.remedy


WORDS = st.lists(
    st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), max_size=12),
    min_size=1,
    max_size=4,
)


@given(WORDS)
def test_every_word_arrives_in_the_container_as_it_was_typed(
    tmp_path_factory: pytest.TempPathFactory, words: list[str]
) -> None:
    """The script for the login node, read by a real bash, with a `rancher` that does what
    `docker exec` does."""
    place = tmp_path_factory.getbasetemp() / "rancher-exec"
    place.mkdir(exist_ok=True)
    program = place / "rancher"
    if not program.exists():
        program.write_text('#!/bin/sh\nshift 2\nexec "$@"\n')
        program.chmod(0o755)
    call = ("exec", "1i5", *commands.fed(["printf", "%s\\0", *words], 0))
    text = relay.script(Command("true"), Command("rancher", *call), "mark", terminal=False)
    done = subprocess.run(
        ["bash", "-c", text],
        capture_output=True,
        env={**os.environ, "PATH": f"{place}:{os.environ['PATH']}"},
        check=True,
    )
    assert done.stdout.partition(b"\nmark\n")[2] == b"".join(w.encode() + b"\0" for w in words)
    assert done.stderr == b"\nmark\n"


@given(st.binary(max_size=40), st.binary(max_size=40), st.integers(1, 50))
def test_only_what_comes_after_the_mark_is_shown(before: bytes, after: bytes, size: int) -> None:
    whole = before + b"\nmark\r\n" + after
    gate = Gate(b"mark")
    pieces = [whole[i : i + size] for i in range(0, len(whole), size)]
    assert b"".join(gate.through(piece) for piece in pieces) == after
    assert gate.open
    assert gate.before == before


def test_containers_of_other_stacks_are_not_ours() -> None:
    from spinstack.platforms.rancher1 import containers

    text = container("1i1", "app-1") + container("1i2", "app-1").replace(STACK, "other")
    assert [one.id for one in containers.parse(text, STACK)["app"]] == ["1i1"]
