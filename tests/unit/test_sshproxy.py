"""`invoke login --sshproxy`: the centre's program, with what its own manual says."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from spinstack.errors import SpinstackError, UsageError
from spinstack.setup import login_state, sshproxy
from spinstack.transport.runner import Result
from tests.unit.stack_session import StackSession, baked
from tests.unit.test_bad_days_certificate import DAY, certified


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StackSession:
    """Alice's, with sshproxy.sh on the PATH and a terminal."""
    program = tmp_path / "bin" / "sshproxy.sh"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=":")
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    return StackSession(baked(tmp_path))


def leaves_a_key(session: StackSession, name: str, since: int = -60, until: int = DAY) -> None:
    """Once it is run, it will have left a key with a certificate; seconds from now."""
    directory = Path.home() / ".ssh"
    directory.mkdir(mode=0o700, exist_ok=True)
    real = session.programs.run

    def run(*given: object, **more: object) -> Result:
        now = int(time.time())
        certified(directory, now + since, now + until, name).write_text("a private key")
        return real(*given, **more)  # type: ignore[arg-type]

    session.programs.run = run  # type: ignore[method-assign]


def test_it_is_run_for_the_user_of_the_destination(session: StackSession) -> None:
    session.programs.answers["sshproxy.sh -u alice"] = Result()
    leaves_a_key(session, "nersc")
    assert sshproxy.fetch(session, "") == Path.home() / ".ssh" / "nersc"
    (found,) = login_state.certificates(session.destination)
    now = login_state.now()
    assert found.valid(now) and found.told(now).startswith("valid for another 23 h 5")


def test_a_collaboration_account_is_fetched_in_one_s_own_name(session: StackSession) -> None:
    session.programs.answers["sshproxy.sh -u bob -c alice"] = Result()
    leaves_a_key(session, "alice")
    assert sshproxy.fetch(session, "bob") == Path.home() / ".ssh" / "alice"
    (found,) = login_state.certificates(session.destination)
    assert found.key.name == "alice"


def test_where_it_is_missing_it_is_told_where_to_get_it(
    session: StackSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(UsageError, match=r"sshproxy\.sh is not on your PATH") as error:
        sshproxy.fetch(session, "")
    assert "docs.nersc.gov" in error.value.where
    assert "scp alice@dtn01.nersc.gov:" in error.value.remedy


def test_a_setting_says_where_it_is(
    session: StackSession, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program = (tmp_path / "bin" / "sshproxy.sh").rename(tmp_path / "proxy")
    monkeypatch.setenv("INVOKE_SPINSTACK_SSHPROXY", str(program))
    again = StackSession(session.directory, {f"{program} -u alice": Result()})
    leaves_a_key(again, "nersc")
    assert sshproxy.fetch(again, "").name == "nersc"


@pytest.mark.parametrize(
    ("code", "until", "said"),
    [
        (1, DAY, "failed with exit code 1"),
        (130, DAY, "was stopped"),
        (0, -30, "no certificate that is valid now"),
    ],
)
def test_a_failure_is_told(session: StackSession, code: int, until: int, said: str) -> None:
    session.programs.answers["sshproxy.sh"] = Result(code=code)
    leaves_a_key(session, "nersc", until=until)
    with pytest.raises(SpinstackError, match=said):
        sshproxy.fetch(session, "")


def test_nobody_is_asked_where_there_is_no_terminal(
    session: StackSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: False)
    with pytest.raises(UsageError, match="no terminal"):
        sshproxy.fetch(session, "")
    assert session.programs.calls == []


@pytest.mark.parametrize(
    ("seconds", "words"), [(0, "0 s"), (59.9, "59 s"), (60, "1 min"), (35_280, "9 h 48 min")]
)
def test_a_span_of_time_in_words(seconds: float, words: str) -> None:
    assert login_state.lasting(seconds) == words
