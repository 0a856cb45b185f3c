"""The packages of an image chosen by the real uv, from the real index."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.baking import bake

pytestmark = pytest.mark.real("uv")


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return bake(tmp_path_factory.mktemp("packages"))


def requirements(stack: Path, *words: str) -> subprocess.CompletedProcess[str]:
    typed = [sys.executable, "-m", "invoke", "requirements", *words]
    return subprocess.run(typed, cwd=stack, capture_output=True, text=True, timeout=300)


def test_what_is_added_is_pinned_and_the_rest_stays(stack: Path):
    pinned = stack / "app/requirements.txt"
    before = pinned.read_text()
    done = requirements(stack)
    assert (done.returncode, done.stdout) == (0, "nothing has changed\n"), done.stderr
    assert pinned.read_text() == before
    with (stack / "app/requirements.in").open("a") as wanted:
        wanted.write("toolz\n")
    done = requirements(stack)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("toolz: - → ") and len(done.stdout.splitlines()) == 1
    start, _, entry = pinned.read_text().partition("toolz==")
    assert before.startswith(start) and "--hash=sha256:" in entry


def test_versions_that_do_not_fit_together_change_nothing(stack: Path):
    pinned = stack / "app/requirements.txt"
    before = pinned.read_text()
    with (stack / "app/requirements.in").open("a") as wanted:
        wanted.write("numpy>=2\n")
    done = requirements(stack)
    assert done.returncode == 1
    assert "numpy>=2" in done.stderr and "app/requirements.in\n  fix:   correct" in done.stderr
    assert pinned.read_text() == before
