"""What every task shares: errors in three lines, and the exit code."""

from __future__ import annotations

import logging

import pytest
from invoke.context import Context
from invoke.exceptions import Exit

from spinstack.errors import SpinstackError, UsageError
from spinstack.session import Session
from spinstack.tasks.task import task


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (SpinstackError("it failed", where="here", remedy="mend it"), 1, "fix:   mend it"),
        (UsageError("typed wrongly"), 2, "error: typed wrongly"),
        (
            ZeroDivisionError("a defect"),
            1,
            "a bug in spinstack: ZeroDivisionError: a defect",
        ),
        (OSError(28, "No space left"), 1, "error: a disk of this machine is full: No space left"),
        (KeyboardInterrupt(), 1, "stopped by Ctrl-C"),
    ],
)
def test_no_error_is_a_traceback(
    error: BaseException, code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    @task("test")
    def fails(context: Context) -> None:
        """Fail."""
        raise error

    with pytest.raises(Exit) as ended:
        fails(Context())
    told = capsys.readouterr().err
    assert ended.value.code == code
    assert said in told
    assert "Traceback" not in told


def test_debug_shows_where_it_came_from(
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    @task("test")
    def fails(context: Context) -> None:
        """Fail."""
        raise ZeroDivisionError("a defect")

    with caplog.at_level(logging.DEBUG, "invoke"), pytest.raises(Exit):
        fails(Context())
    assert "Traceback" in capsys.readouterr().err


def test_a_login_that_was_begun_early_ends_with_a_task_that_fails(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    told: list[str] = []

    class Begun:
        def abandon(self) -> None:
            told.append(f"abandoned, printed so far: {capsys.readouterr().err!r}")

    def begin(*_: object) -> Begun:
        told.append("begun")
        return Begun()

    monkeypatch.setattr("spinstack.session.Session.destination", None)
    monkeypatch.setattr("spinstack.transport.connect.begin", begin)

    @task("test", logs_in=lambda session, **_: None)
    def fails(session: Session, to: str | None = None) -> None:
        """Fail before the connection is used."""
        raise UsageError("typed wrongly")

    with pytest.raises(Exit):
        fails(Context())
    # ssh may have the terminal until it is ended.
    assert told == ["begun", "abandoned, printed so far: ''"]
