"""What a command imports: nothing that it does not use.

Counted in fresh processes, against the same Invoke with three trivial tasks: never timed.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import pytest

from spinstack.tasks import TOPICS
from tests.baking import REPOSITORY
from tests.unit.stack_session import baked

# Each takes as long as everything else that a quick task does, or nearly so.
HEAVY = {
    *("fabric", "paramiko", "cryptography", "asyncssh", "cookiecutter", "jinja2", "requests"),
    *("rich", "http.client", "urllib.request", "tarfile", "sqlite3", "xml", "zipfile"),
}
# The package, what describes tasks, and a module for each file of tasks.
ALLOWED = 7 + len(list((REPOSITORY / "spinstack" / "tasks").glob("[a-z]*.py")))

TRIVIAL = "from invoke import task\n" + "".join(
    f"@task\ndef {name}(c):\n    'Do it.'\n" for name in ("one", "two", "three")
)
# Runs Invoke as its command does, and then tells on the last line what was imported.
WATCHED = """
import json, sys
from invoke.main import program
sys.argv[0] = "invoke"
try:
    program.run()
finally:
    print(json.dumps([sorted(sys.modules), "SEEN"]))
"""


def imported(directory: Path, words: Sequence[str], home: Path, code: int = 0) -> set[str]:
    """Names of the modules that are there when `invoke WORDS` ends with this exit code."""
    typed = subprocess.run(
        [sys.executable, "-c", WATCHED, *words],
        cwd=directory,
        env={"PATH": os.environ["PATH"], "HOME": str(home), "LANG": "C.UTF-8"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )
    last = typed.stdout.rstrip().splitlines()[-1:]
    assert last and last[0].endswith('"SEEN"]'), typed.stderr
    assert typed.returncode == code, typed.stderr
    names: list[str] = json.loads(last[0])[0]
    return set(names)


@cache
def trivial(home: Path) -> set[str]:
    """What Invoke brings itself."""
    directory = home / "trivial"
    directory.mkdir(exist_ok=True)
    (directory / "tasks.py").write_text(TRIVIAL)
    return imported(directory, ["--list"], home)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("startup")


@pytest.fixture(scope="module")
def stack(home: Path) -> Path:
    return baked(home)


def added(stack: Path, home: Path, *words: str) -> set[str]:
    """Modules beyond those of Invoke with trivial tasks."""
    return imported(stack, words, home) - trivial(home)


def heavy(names: set[str]) -> set[str]:
    """Those of the heavy libraries that are among these."""
    return {whole for whole in HEAVY for name in names if f"{name}.".startswith(f"{whole}.")}


@pytest.mark.parametrize("words", ["--list", "--help deploy", "--complete -- invoke dep"])
def test_what_runs_no_task_imports_what_describes_them_and_nothing_else(
    stack: Path, home: Path, words: str
) -> None:
    names = added(stack, home, *words.split())
    own = {name for name in names if name.split(".")[0] == "spinstack"}
    assert len(own) <= ALLOWED, sorted(own)
    assert names - own <= {"__future__", "gc", "tasks"}, sorted(names - own)


def test_a_module_of_tasks_is_imported_for_its_descriptions(stack: Path, home: Path) -> None:
    """None of those below may bring its work with it."""
    names = added(stack, home, "--list")
    own = {name for name in names if name.startswith("spinstack.")}
    kept = {"spinstack.tasks", "spinstack.errors", "spinstack.config", "spinstack.config.schema"}
    kept |= {"spinstack.text", "spinstack.console", "spinstack.console.streams"}
    assert {name for name in own if not name.startswith("spinstack.tasks.")} <= kept


# Counts what Invoke makes for a command, as it is when Python ends.
COUNTED = """
import atexit, gc, json, sys
from invoke.main import program
from invoke.parser.argument import Argument
from invoke.vendor.yaml.composer import Composer
counts = {"options": 0, "documents": 0}
def counted(owner, name, count):
    usual = getattr(owner, name)
    def instead(*args, **more):
        counts[count] += 1
        return usual(*args, **more)
    setattr(owner, name, instead)
counted(Argument, "__init__", "options")
counted(Composer, "get_single_node", "documents")
atexit.register(lambda: print(json.dumps({**counts, "frozen": gc.get_freeze_count()})))
sys.argv[0] = "invoke"
program.run()
"""


def counted(directory: Path, home: Path, *words: str) -> dict[str, int]:
    typed = subprocess.run(
        [sys.executable, "-c", COUNTED, *words],
        cwd=directory,
        env={"PATH": os.environ["PATH"], "HOME": str(home), "LANG": "C.UTF-8"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    found: dict[str, int] = json.loads(typed.stdout.rstrip().splitlines()[-1])
    return found


def test_invoke_makes_the_options_of_the_tasks_that_were_typed(stack: Path, home: Path) -> None:
    trivial(home)
    core = counted(home / "trivial", home, "--list")["options"]
    assert counted(stack, home, "--list")["options"] == core
    # Such as url and its three, among 60 tasks with 200.
    assert core < counted(stack, home, "--dry", "url", "--to", "dev")["options"] < core + 10
    both = counted(stack, home, "--dry", "url", "--to", "dev", "history", "--to", "dev")
    assert core < both["options"] < core + 20


def test_a_command_is_not_slowed_down_by_its_settings_nor_by_its_end(
    stack: Path, home: Path
) -> None:
    """Invoke's own reader of YAML takes ten times as long as libyaml; before it ends, Python would
    look for garbage in all that was loaded."""
    found = counted(stack, home, "--dry", "url", "--to", "dev")
    assert found["documents"] == 0
    assert found["frozen"] > 10_000


# What a task may bring of the heavy libraries, without a terminal.
TASKS: dict[str, set[str]] = {
    "render --to dev": set(),
    "env --to dev": set(),
    "check": {"http.client", "urllib.request"},
    "--dry deploy --to dev": {"http.client", "urllib.request", "tarfile"},
    "--dry status --to dev": set(),
    "--dry url --to dev": set(),
    "--dry logs --to dev": set(),
    "--dry stop --to dev": set(),
    "--dry history --to dev": set(),
    "--dry confirm --to dev": set(),
    "--dry releases --to dev": set(),
    "--dry new --no-input": set(),
    "rehearsal.status": {"http.client"},
}


@pytest.mark.parametrize("words", TASKS)
def test_a_task_imports_what_it_uses(stack: Path, home: Path, words: str) -> None:
    assert heavy(added(stack, home, *words.split())) <= TASKS[words]


@pytest.mark.skipif(not shutil.which("ssh"), reason="needs a program ssh")
def test_the_wire_by_ssh_needs_no_ssh_of_its_own(stack: Path, home: Path) -> None:
    """Looking for a login that is not there does all but connect."""
    names = imported(stack, ["login", "--status", "--to", "dev"], home, code=1)
    assert heavy(names - trivial(home)) == set()


def test_a_look_at_a_cluster_imports_nothing_of_a_change() -> None:
    words = "import sys, spinstack.remote.cluster.stack; print(*sys.modules)"
    typed = subprocess.run(
        [sys.executable, "-c", words], capture_output=True, text=True, check=True
    )
    rooms = {f"spinstack.remote.cluster.{name}" for name in ("rollout", "ahead", "release")}
    assert not rooms & set(typed.stdout.split())


def test_every_task_has_help_that_names_its_options(stack: Path) -> None:
    for topic in TOPICS:
        for task in topic.tasks:
            for argument in task.get_arguments():
                assert argument.help, f"{task.name} --{argument.name}"


def test_a_task_under_another_name_keeps_its_options(home: Path) -> None:
    """A stack's tasks.py may be anything that Invoke takes."""
    directory = home / "renamed"
    directory.mkdir()
    (directory / "tasks.py").write_text(
        "from invoke import Collection\nfrom spinstack.tasks.ship import deploy\n"
        "ns = Collection()\nns.add_task(deploy, name='go')\n"
    )
    for words, said in {"--help go": "--to=STRING", "--list": "go ", "-l": "go "}.items():
        typed = [sys.executable, "-m", "invoke", *words.split()]
        told = subprocess.run(typed, cwd=directory, capture_output=True, text=True, check=True)
        assert said in told.stdout
