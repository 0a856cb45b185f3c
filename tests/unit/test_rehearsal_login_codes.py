"""The answers to the login prompt: each accepted once, the valid one always in the file."""

from __future__ import annotations

from pathlib import Path

import pytest

from spin_rehearsal.login_codes import LoginCodes
from spinstack.errors import SpinstackError


def _valid(file: Path) -> str:
    return file.read_text().strip()


def test_each_answer_is_accepted_once_and_the_next_one_is_written(tmp_path: Path) -> None:
    file = tmp_path / "login"
    codes = LoginCodes(file)
    seen = set()
    for _ in range(20):
        answer = _valid(file)
        assert codes.accept(answer)
        assert not codes.accept(answer)
        seen.add(answer)
    assert len(seen) == 20
    assert len({answer[:-6] for answer in seen}) == 1


def test_only_the_owner_can_read_the_file(tmp_path: Path) -> None:
    file = tmp_path / "login"
    codes = LoginCodes(file)
    codes.accept(_valid(file))
    assert file.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [file]


def test_wrong_answers_use_nothing_up(tmp_path: Path) -> None:
    file = tmp_path / "login"
    codes = LoginCodes(file)
    answer = _valid(file)
    for wrong in ("", answer[:-6], answer[-6:], answer + "0", "pässword123456"):
        assert not codes.accept(wrong)
    assert codes.accept(answer)


def test_a_restart_goes_on_with_the_same_password_and_code(tmp_path: Path) -> None:
    file = tmp_path / "login"
    LoginCodes(file)
    answer = _valid(file)
    again = LoginCodes(file)
    assert again.password_is(answer[:-6])
    assert again.accept(answer)


def test_a_file_changed_by_hand_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "login"
    file.write_text("hunter2\n")
    with pytest.raises(SpinstackError, match="changed by hand"):
        LoginCodes(file)
