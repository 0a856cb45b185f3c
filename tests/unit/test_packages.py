"""Choosing the versions of an image's packages: what is asked of uv, and what is in the way."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from spinstack.deploy import packages
from spinstack.errors import SpinstackError, UsageError
from spinstack.transport.runner import Result
from tests.unit.stack_session import StackSession, baked

COMPILE = (
    "uv pip compile --quiet --config-file uv.toml requirements.in --output-file requirements.txt"
)


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    return baked(tmp_path)


@pytest.fixture
def uv(stack: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Made, and the only program that there is."""
    place = stack.parent / "bin"
    place.mkdir()
    monkeypatch.setenv("PATH", str(place))
    monkeypatch.setattr(sys, "executable", str(place / "python"))
    (place / "uv").touch(0o755)
    return place / "uv"


def test_uv_is_asked(stack: Path, uv: Path) -> None:
    session = StackSession(stack, {COMPILE: Result()})
    assert packages.pin(session) == []
    packages.pin(session, upgrade=True)
    assert session.programs.calls == [COMPILE, f"{COMPILE} --upgrade"]


def test_its_reason_is_shown(stack: Path, uv: Path) -> None:
    reason = "Because you require numpy<2 and numpy>=2, your requirements are unsatisfiable."
    session = StackSession(stack, {COMPILE: Result(stderr=reason, code=1)})
    with pytest.raises(SpinstackError, match="could not choose versions") as error:
        packages.pin(session)
    assert error.value.details == reason
    assert error.value.where.endswith("app/requirements.in")


def test_a_stack_without_options_for_uv(stack: Path, uv: Path) -> None:
    (stack / "app/uv.toml").unlink()
    with pytest.raises(UsageError, match=r"there is no uv\.toml"):
        packages.pin(StackSession(stack))


def test_without_uv_it_is_told_how_to_get_it(stack: Path, uv: Path) -> None:
    uv.unlink()
    with pytest.raises(SpinstackError, match="uv is not installed") as error:
        packages.pin(StackSession(stack))
    assert "`pip install uv`" in error.value.remedy


def test_a_stack_without_python_packages(stack: Path, uv: Path) -> None:
    (stack / "app/requirements.in").unlink()
    with pytest.raises(UsageError, match=r"no image of this stack has a requirements\.in"):
        packages.pin(StackSession(stack))
