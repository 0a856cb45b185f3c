"""How many processes the application starts: by the cores that its container was given."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests import baking

baking.application()
import capacity  # noqa: E402


@pytest.mark.parametrize(
    ("files", "cores"),
    [
        ({}, 64),
        ({"cpu.max": "max 100000\n"}, 64),
        ({"cpu.max": "250000 100000\n"}, 3),
        ({"cpu.max": "10000 100000\n"}, 1),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, 64),
        ({"cpu/cpu.cfs_quota_us": "400000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 4),
        ({"cpu.max": "nonsense\n"}, 64),
    ],
)
def test_the_cores_of_the_container(
    files: dict[str, str], cores: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(64)))
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    assert capacity.cores(tmp_path) == cores


@pytest.mark.parametrize(
    ("cores", "fewest", "most"), [(1, 2, 4), (2, 2, 4), (3, 3, 6), (4, 4, 8), (64, 4, 8)]
)
def test_processes_for_cores(cores: int, fewest: int, most: int):
    assert (capacity.fewest(cores), capacity.most(cores)) == (fewest, most)
