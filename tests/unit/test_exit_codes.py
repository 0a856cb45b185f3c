"""docs/exit-codes.md against the tasks that there are, and what they do."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from invoke.exceptions import Exit

from spinstack.tasks import TOPICS, ns
from spinstack.transport import relay
from tests.baking import REPOSITORY
from tests.task_words import NEEDED
from tests.unit.stack_session import StackSession, baked

PAGE = REPOSITORY / "docs" / "exit-codes.md"
TASKS = {
    name: task for topic in TOPICS for name, task in zip(topic.names(), topic.tasks, strict=True)
}

# Tasks whose result no script would want, and why.
WITHOUT_JSON = {
    "render": "prints the files themselves",
    "inspect": "prints JSON",
    "new": "prints the directory alone",
    "completion": "prints a script",
    "open": "opens a browser",
    "shell": "is for a person",
    "exec": "prints what the command prints",
    "image.run": "runs until Ctrl-C",
    "local.logs": "prints what the services print",
    "registry.login": "ends well or not",
    "rehearsal.stop": "ends well or not",
}


def told() -> dict[str, list[str]]:
    """What the page says of each task: code 0, 1 and 2."""
    rows = {}
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip("|"))]
        for name in re.findall(r"`([^`]+)`", cells[0]) if len(cells) == 4 else ():
            rows[name] = cells[1:]
    return rows


def test_the_page_has_a_row_for_every_task_and_for_no_other() -> None:
    assert set(told()) == set(ns.task_names)
    assert all(all(cells) for cells in told().values())


def test_every_result_comes_as_json_too() -> None:
    without = {
        name
        for name, task in TASKS.items()
        if "json" not in {argument.name for argument in task.get_arguments()}
    }
    assert without == set(WITHOUT_JSON)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return baked(tmp_path_factory.mktemp("exit"))


# Besides doctor, which tells it as one thing of many that are missing.
@pytest.mark.parametrize(
    "name", sorted({name for name, task in TASKS.items() if task.wants_session} - {"doctor"})
)
def test_a_destination_that_is_not_there_is_wrong_use(
    stack: Path,
    name: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(relay, "on_terminal", lambda: True)
    context = StackSession(stack)._context
    with pytest.raises(Exit) as ended:
        TASKS[name](context, **NEEDED.get(name, {}), to="nowhere")
    expected = [code for code, cell in enumerate(told()[name]) if "usage error" in cell]
    assert [ended.value.code] == expected
    assert "nowhere" in capsys.readouterr().err


def test_what_each_task_needs_is_known_to_the_tests_that_type_every_task() -> None:
    # Else the one that does so with real containers is the first to find out.
    missing = [
        (name, argument.name)
        for name, task in TASKS.items()
        for argument in task.get_arguments()
        if argument.positional and argument.name not in NEEDED.get(name, {})
    ]
    assert missing == []
