"""The TAB key in real shells, in the directory of a stack."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from spinstack.tasks import shell_completion
from tests.real.at_terminal import AtTerminal
from tests.unit.stack_session import baked

pytestmark = pytest.mark.real("bash", "zsh", "fish")

# How each shell is started with nothing but our script; `$` ends its prompt.
SHELLS = {
    "bash": ["bash", "--noprofile", "--rcfile", "rc", "-i"],
    "zsh": ["zsh", "-d", "-i"],
    "fish": ["fish", "-i"],
}
# Where its script has to stand to be read, in the home directory, and what goes before it.
STARTS = {
    "bash": ("rc", "PS1='ready$ '\nbind 'set bell-style none'\n"),
    "zsh": (".zshrc", "PS1='ready$ '\nunsetopt zle_bracketed_paste prompt_sp\n"),
    "fish": (
        ".config/fish/config.fish",
        "set fish_greeting\nfunction fish_prompt\n    echo -n 'ready$ '\nend\n",
    ),
}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return baked(tmp_path_factory.mktemp("completion"))


@pytest.fixture
def shell(request: pytest.FixtureRequest, tmp_path: Path, stack: Path) -> AtTerminal:
    """A shell that has just been started, with the programs of this environment."""
    name: str = request.param
    file, first = STARTS[name]
    start = tmp_path / file
    start.parent.mkdir(parents=True, exist_ok=True)
    start.write_text(first + shell_completion.script(name))
    words = [str(tmp_path / word) if word == "rc" else word for word in SHELLS[name]]
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {"PATH": path, "HOME": str(tmp_path), "TERM": "dumb", "LANG": "C.UTF-8"}
    if name == "fish":
        # Which asks a terminal that is not dumb to tell about itself, and waits.
        environment["TERM"] = "vt100"
    with_person = AtTerminal(words, environment, stack)
    with_person.wait_for("ready$ ")
    return with_person


SPINSTACK = str(Path(sys.executable).with_name("spinstack"))
HOME, ENTER = "\x01", "\r"


@pytest.mark.parametrize("shell", SHELLS, indirect=True)
def test_the_rest_of_what_was_begun_comes_by_tab(shell: AtTerminal) -> None:
    for typed, whole in {
        "invoke dep\t--t\treh\t": "invoke deploy --to rehearsal",
        "invoke logs --service w\t": "invoke logs --service web",
        "invoke deploy --to=pr\t": "invoke deploy --to=prod",
        "spinstack secret.cr\t": "spinstack secret.create",
        # Nothing of ours, so files.
        "invoke secret.create --file stack.e\t": "invoke secret.create --file stack.env",
    }.items():
        shell.type(f"{typed}{HOME}echo told: {ENTER}", f"told: {whole}\r\n")
        shell.wait_for("ready$ ")


@pytest.mark.parametrize("shell", SHELLS, indirect=True)
def test_all_options_of_a_task_are_offered(shell: AtTerminal) -> None:
    shell.type("invoke deploy --\t\t", "yes")
    # Fish underlines what was typed of each.
    shown = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|[\x00\x0f]", "", shell.shown)
    assert "--to" in shown
    assert "--yes" in shown
    assert "--list" not in shown


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["invoke", "status", "--"], ["--to", "--watch", "--json"]),
        (["invoke", "--help", "roll"], ["rollback"]),
        (["invoke", "deploy", "--to", "=", "d"], ["development", "dev"]),
        (["invoke", "deploy", "--to", "d"], ["development", "dev"]),
        (["invoke", "image.run", "--image", ""], ["app", "web"]),
        (["invoke", "check", "--explain", "port-num"], ["port-number"]),
        (["invoke", "exec", "--command", ""], []),
        (["invoke", "no-such-task"], []),
        (["/some/where/invoke", "dep"], ["deploy"]),
        (["spinstack", "new", "--o"], ["--output"]),
    ],
)
def test_what_a_shell_is_told(stack: Path, words: list[str], said: list[str]) -> None:
    asked = [SPINSTACK, "--complete", "--", *words]
    told = subprocess.run(asked, cwd=stack, capture_output=True, text=True, check=True).stdout
    lines = [line.split("\t") for line in told.splitlines()]
    assert [word for word, _ in lines] == said


def test_another_tasks_py_is_completed_by_what_is_in_it(tmp_path: Path) -> None:
    (tmp_path / "tasks.py").write_text(
        "from invoke import task\n@task\ndef weigh(c, to='moon'):\n    'Weigh it.'\n"
    )
    for words, said in {"invoke w": "weigh\tWeigh it.\n", "invoke weigh --to ": ""}.items():
        asked = [SPINSTACK, "--complete", "--", *words.split(" ")]
        told = subprocess.run(asked, cwd=tmp_path, capture_output=True, text=True, check=True)
        assert told.stdout == said
