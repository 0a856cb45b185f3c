"""The benchmarks' harness on a small tree: it measures, and leaves nothing running."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from spinstack.rehearsal import packages

REPOSITORY = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.real("engine")


@pytest.mark.skipif(
    not (shutil.which("wrk") or packages.can_install()), reason="needs wrk, or root on Debian"
)
def test_a_smoke_run_measures_and_cleans_up(tmp_path: Path):
    words = [sys.executable, "-m", "benchmarks.serving", "--quick", "--output", str(tmp_path)]
    words += ["--only", "static", "--only", "half"]
    done = subprocess.run(words, cwd=REPOSITORY, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stdout + done.stderr

    goals = json.loads((tmp_path / "serving.json").read_text())
    measured = {goal["name"]: goal["measured"] for goal in goals if goal["measured"] is not None}
    assert measured["static 50 kB, 16 connections, requests/s against bare nginx"] > 0
    figures = json.loads((tmp_path / "serving-figures.json").read_text())
    static = [cell for cell in figures["cells"] if cell["scenario"] == "static"]
    assert {cell["variant"] for cell in static} == {"tutorial", "generated", "nginx"}
    assert all(cell["rounds"][0]["rate"] > 0 for cell in static)

    engine = "docker" if shutil.which("docker") else "podman"
    left = [engine, "ps", "--all", "--quiet", "--filter", "label=org.spinstack.bench"]
    assert subprocess.run(left, capture_output=True, text=True).stdout == ""
