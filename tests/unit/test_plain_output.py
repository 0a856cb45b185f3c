"""Colours and movements by the usual rules, in what a person sees of an error."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from spinstack.console import terminal as console_terminal
from tests.real.at_terminal import AtTerminal
from tests.unit.stack_session import baked

WORDS = (sys.executable, "-m", "invoke", "status", "--to", "nowhere")
SAID = "error: no destination 'nowhere'"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return baked(tmp_path_factory.mktemp("plain"))


def environment(**more: str) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME")}
    return {**kept, "LANG": "C.UTF-8", "TERM": "xterm-256color", **more}


@pytest.mark.parametrize(
    ("more", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)]
)
def test_a_terminal_gets_colours_unless_it_wants_none(
    stack: Path, more: dict[str, str], coloured: bool
) -> None:
    with_person = AtTerminal(WORDS, environment(**more), stack)
    assert with_person.code() == 2
    assert SAID in with_person.shown
    assert ("\x1b[1;31m" in with_person.shown) == coloured
    assert ("\x1b" in with_person.shown) == (more != {"TERM": "dumb"})


@pytest.mark.parametrize(("more", "coloured"), [({}, False), ({"FORCE_COLOR": "1"}, True)])
def test_a_log_gets_plain_lines_unless_it_wants_colours(
    stack: Path, more: dict[str, str], coloured: bool
) -> None:
    typed = subprocess.run(
        WORDS, cwd=stack, env=environment(**more), capture_output=True, text=True
    )
    assert typed.returncode == 2
    assert typed.stdout == ""
    assert SAID in typed.stderr
    assert ("\x1b" in typed.stderr) == coloured


def test_a_screen_is_cleared_where_it_can_be(monkeypatch: pytest.MonkeyPatch) -> None:
    """For `status --watch`."""
    leader, follower = os.openpty()
    with os.fdopen(follower, "w") as terminal, Path(os.devnull).open("w") as file:
        for term, can in {"xterm": True, "dumb": False, "": False}.items():
            monkeypatch.setenv("TERM", term)
            assert console_terminal.can_move(terminal) == can
            assert not console_terminal.can_move(file)
    os.close(leader)
