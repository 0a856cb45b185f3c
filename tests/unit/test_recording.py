"""What changing tasks leave in the history, and what it does not keep from getting through."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from spinstack.deploy import take_over
from spinstack.errors import SpinstackError
from spinstack.operate import secrets, services
from spinstack.remote.history.write import recorded
from spinstack.transport.login_node import ConnectionLost
from tests.unit.operating import BOTH, STACK, Answers, Operator, rounds, service

APP_DOWN = service("app", "inactive", "")
LOCK = '{"who": "bob", "host": "desk", "pid": 1, "when": "2026-11-22T16:00:00Z"}\n'


def test_an_order_is_written_down_by_whom_where_and_with_which_release(tmp_path: Path) -> None:
    answers: Answers = {"states": (BOTH, 0), "stop": ("", 0), "watch": rounds(APP_DOWN)}
    session = Operator(tmp_path, answers)
    services.stop(session, "app", json=False, yes=True)
    assert session.history == ["stop done: app"]
    script = session.node.sent[-1]
    project = session.destination.project_dir
    assert f"mkdir -p {project}/{STACK} && cd {project}/{STACK}" in script
    for part in ('"who": "alice"', '"destination": "dev"', f'"stack": "{STACK}"', "readlink curre"):
        assert part in script


def test_what_was_done_already_is_no_change(tmp_path: Path) -> None:
    session = Operator(tmp_path, {"states": (APP_DOWN, 0)})
    services.stop(session, "app", json=False, yes=True)
    assert session.history == []


def test_a_failure_is_written_down_with_its_first_line(tmp_path: Path) -> None:
    refused = 'time="x" level=fatal msg="no"\n'
    session = Operator(tmp_path, {"states": (BOTH, 0), "scale": (refused, 1)})
    with pytest.raises(SpinstackError, match="could not be scaled"):
        services.scale(session, "app", 3, json=False, yes=True)
    assert session.history == ["scale failed: app=3: app could not be scaled"]


def test_of_a_secret_only_the_name_is_kept(tmp_path: Path) -> None:
    value = tmp_path / "value"
    value.write_text("hush")
    value.chmod(0o600)
    name = f"app.{STACK}.password"
    there = f'{{"ID": "1se1", "Secret": {{"id": "1se1", "name": "{name}"}}}}\n'
    # Looked for, looked for again after it was made.
    answers: Answers = {"secrets": [("", 0), (there, 0)], "create the secret": ("", 0)}
    session = Operator(tmp_path, answers)
    secrets.create_secret(session, "password", "app", str(value), json=False)
    assert session.history == [f"secret.create done: {name}"]
    assert not any("hush" in text for text in session.node.sent)
    with pytest.raises(SpinstackError, match="already"):
        secrets.create_secret(session, "password", "app", str(value), json=False)
    assert len(session.history) == 1


def test_a_broken_lock_names_whose_it_was(tmp_path: Path) -> None:
    answers: Answers = {"lock owner": (LOCK, 0), "break the lock": ("", 0)}
    session = Operator(tmp_path, answers)
    take_over.unlock(session, yes=True)
    assert session.history == ["unlock done: the lock of bob on desk since 2026-11-22 16:00 UTC"]


@pytest.mark.parametrize("answer", [("bash: line 6: history.jsonl: No space left on device", 1)])
def test_a_full_disk_is_a_warning(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], answer: tuple[str, int]
) -> None:
    answers: Answers = {"states": (BOTH, 0), "stop": ("", 0), "watch": rounds(APP_DOWN)}
    session = Operator(tmp_path, {**answers, "history": answer})
    services.stop(session, "app", json=False, yes=True)
    seen = capsys.readouterr()
    assert "is stopped" in seen.out
    assert "warning: could not record stop in the history" in seen.err
    assert "No space left on device" in seen.err


class Breaking:
    """A login node whose connection ends with the next script."""

    def __init__(self, error: BaseException) -> None:
        self.error = error
        self.asked = 0

    def run(self, *_: object, **__: object) -> Any:
        self.asked += 1
        raise self.error


@pytest.fixture
def session(tmp_path: Path) -> Operator:
    return Operator(tmp_path, {})


def breaking(error: BaseException) -> Any:
    return Breaking(error)


def test_the_first_error_is_the_one_that_is_told(session: Operator) -> None:
    node = breaking(SpinstackError("the second one"))
    with pytest.raises(SpinstackError, match="the first one"), recorded(session, node, "stop"):
        raise SpinstackError("the first one")
    assert node.asked == 1


def test_where_the_connection_is_gone_nobody_logs_in_again(session: Operator) -> None:
    node = breaking(AssertionError("asked"))
    with pytest.raises(ConnectionLost), recorded(session, node, "stop"):
        raise ConnectionLost("gone")
    assert node.asked == 0


def test_a_change_is_done_though_the_connection_ends_before_it_is_written(
    session: Operator, capsys: pytest.CaptureFixture[str]
) -> None:
    with recorded(session, breaking(ConnectionLost("the connection ended")), "stop"):
        pass
    assert "the connection ended" in capsys.readouterr().err


def test_ctrl_c_leaves_it_open(session: Operator) -> None:
    with pytest.raises(KeyboardInterrupt), recorded(session, session.node, "restart", "web"):
        raise KeyboardInterrupt
    assert session.history == ["restart left open: web: stopped by Ctrl-C"]
