"""Wrong answers: refused with what is allowed, all at once, and nothing is left behind."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from cookiecutter.exceptions import CookiecutterException
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.baking import bake, type_cookiecutter

# Answer -> what the refusal must say.
REFUSED = [
    ({"stack_name": "Nightwatch_DESI"}, "lower-case letters, digits and hyphens"),
    ({"stack_name": "1st"}, "starting with a letter"),
    ({"stack_name": "ends-"}, "not ending in a hyphen"),
    ({"stack_name": "x" * 64}, "63 characters"),
    ({"nersc_user": "You Yourself"}, "a login name"),
    ({"group_id": "desi"}, "58102"),
    ({"group_id": "0"}, "a number above 0"),
    ({"project_dir": "desi/users/me"}, "a path that starts with /"),
    ({"project_dir": "/global/homes/m/me"}, "/global/cfs/cdirs"),
    ({"project_dir": "/global/cfs/cdirs/../homes"}, "a path that starts with /"),
    ({"registry": "docker.io"}, "registry.spin.nersc.gov"),
    ({"namespace": "De:si"}, "lower-case letters and digits"),
    ({"spin_namespace": "Night_Watch"}, "lower-case letters, digits and hyphens"),
    ({"spin_namespace": "a'b"}, "lower-case letters, digits and hyphens"),
    ({"nersc_uid": "alice"}, "`id -u`"),
    ({"nersc_uid": "0123"}, "`id -u`"),
    ({"login_host": "me@perlmutter.nersc.gov"}, "perlmutter.nersc.gov"),
    ({"web_port": "443"}, "60000-60050"),
    ({"web_port": "60051"}, "60000-60050"),
    ({"web_port": "http"}, "60000-60050"),
    ({"static_dir": "../elsewhere"}, "without . and .. parts"),
    ({"data_dir": "/pscratch/sd/m/me"}, "/global/cfs/cdirs"),
    ({"nightwatch_dir": "night watch"}, "letters, digits"),
    # What would change the meaning of the files that it is written into.
    ({"static_dir": "output\nDATA_DIR=/etc"}, "letters, digits"),
    ({"static_dir": "output:/etc:rw"}, "letters, digits"),
    ({"desimodel_dir": "${HOME}"}, "letters, digits"),
    ({"desiutil_dir": "desiutil # or so"}, "letters, digits"),
    ({"nersc_user": "me\n  protected: false"}, "a login name"),
    ({"login_host": 'a"b'}, "the name of a login node"),
    ({"namespace": "a: {b"}, "lower-case letters and digits"),
    ({"nersc_user": "'''); raise SystemExit(0) #\\"}, "a login name"),
]


@pytest.mark.parametrize(("answers", "allowed"), REFUSED, ids=lambda value: repr(value)[:40])
def test_a_wrong_answer_is_refused(
    answers: dict[str, str],
    allowed: str,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
):
    with pytest.raises(CookiecutterException):
        bake(tmp_path, **answers)
    (name,) = answers
    told = [line for line in capfd.readouterr().err.splitlines() if line.startswith(f"  {name}: ")]
    assert len(told) == 1 and allowed in told[0]
    assert list(tmp_path.iterdir()) == []


def test_all_that_is_wrong_is_told_at_once_and_without_a_traceback(tmp_path: Path):
    done = type_cookiecutter(tmp_path, "stack_name=A", "group_id=x", "project_dir=y", "web_port=80")
    assert done.returncode == 1
    for name in ("stack_name", "group_id", "project_dir", "web_port"):
        assert f"\n  {name}: " in done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["a/b", "../beside", "a/../../b", ".", ""])
def test_a_name_that_is_a_path_leaves_nothing_behind(tmp_path: Path, name: str):
    output = tmp_path / "output"
    output.mkdir()
    done = type_cookiecutter(output, f"stack_name={name}")
    assert done.returncode == 1
    assert "Traceback" not in done.stdout + done.stderr
    wait_until(lambda: list(tmp_path.rglob("*")) == [output])


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 5
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert condition()


@settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(directory=st.text("aZ0/._+@ :$'\"#\n{}\\-\t~é", min_size=1, max_size=12))
def test_a_directory_is_refused_or_arrives_as_it_is(
    directory: str, tmp_path_factory: pytest.TempPathFactory
):
    output = tmp_path_factory.mktemp("any")
    try:
        stack = bake(output, static_dir=directory)
    except CookiecutterException:
        assert list(output.iterdir()) == []
        return
    lines = (stack / "stack.env").read_text(encoding="utf-8").split("\n")
    assert f"STATIC_DIR={directory}" in lines
    assert set(directory) <= set("aZ0/._+@-")
    volumes = yaml.safe_load((stack / "docker-compose.yml").read_text(encoding="utf-8"))
    assert volumes["services"]["app"]["volumes"][0] == "${STATIC_DIR}:/app/static:rw"
