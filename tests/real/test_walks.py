"""README's walks from nothing to a page, on the rehearsal of Rancher 1."""

from __future__ import annotations

import urllib.request
from pathlib import Path

import pytest

from tests import pages

from . import walks
from .stage import Stage

pytestmark = pytest.mark.real("engine", "registry")


def test_each_takes_five_commands_at_most() -> None:
    told = pages.walks()
    assert len(told.typed) == 3
    assert all(len([told.install, *lines]) <= 5 for lines in told.typed.values())


@pytest.mark.parametrize("walk", walks.SHOWN)
def test_a_walk_ends_at_its_page(stage: Stage, tmp_path: Path, walk: str) -> None:
    at, done = walks.typed(stage, walk, walks.lay_out(walk, stage.home, tmp_path))
    try:
        with urllib.request.urlopen(done.last_line, timeout=20) as answer:
            assert walks.SHOWN[walk] in answer.read().decode()
    finally:
        stage.done("rm", "--yes", at=at)
