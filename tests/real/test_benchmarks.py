"""The benchmarks' harness on a small tree: it measures, and leaves nothing running."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from spin_rehearsal import packages

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.mark.real("engine")
@pytest.mark.skipif(
    not (shutil.which("wrk") or packages.can_install()), reason="needs wrk, or root on Debian"
)
def test_a_smoke_run_measures_and_cleans_up(tmp_path: Path):
    words = [sys.executable, "-m", "benchmarks.serving", "--quick", "--output", str(tmp_path)]
    words += ["--only", "static", "--only", "half"]
    # With other tests beside it a machine may stall for the two seconds that a cell takes: a run
    # with an empty cell says nothing, and is made anew.
    for _ in range(3):
        done = subprocess.run(words, cwd=REPOSITORY, capture_output=True, text=True, timeout=900)
        # How fast this machine is is nothing to fail for.
        assert " goals met, " in done.stdout, done.stdout + done.stderr
        figures = json.loads((tmp_path / "serving-figures.json").read_text())
        static = [cell for cell in figures["cells"] if cell["scenario"] == "static"]
        if all(cell["rounds"][0]["rate"] > 0 for cell in static):
            break
    else:
        pytest.fail(f"{done.stdout}{done.stderr}{json.dumps(static, indent=1)}")
    assert {cell["variant"] for cell in static} == {"tutorial", "generated", "nginx"}

    goals = json.loads((tmp_path / "serving.json").read_text())
    measured = {goal["name"]: goal["measured"] for goal in goals if goal["measured"] is not None}
    assert measured["static 50 kB, 16 connections, requests/s against bare nginx"] > 0

    engine = "docker" if shutil.which("docker") else "podman"
    left = [engine, "ps", "--all", "--quiet", "--filter", "label=org.spinstack.bench"]
    assert subprocess.run(left, capture_output=True, text=True).stdout == ""


@pytest.mark.real("root", "sshd")
@pytest.mark.skipif(not Path("/dev/net/tun").exists(), reason="needs tun devices")
def test_a_smoke_run_of_the_line_counts_what_a_deploy_costs(tmp_path: Path):
    words = [sys.executable, "-m", "benchmarks.remote", "--quick", "--output", str(tmp_path)]
    run(words)

    goals = json.loads((tmp_path / "remote.json").read_text())
    sessions = [goal for goal in goals if goal["unit"] == "sessions"]
    assert sessions and all(goal["met"] for goal in sessions)
    figures = json.loads((tmp_path / "remote-figures.json").read_text())
    by_way = {cell["way"]: cell["rounds"][0] for cell in figures["cells"]}
    assert by_way["15 × ssh host command"]["logins"] == 15
    assert by_way["Fabric: 15 run() and 12 put()"]["sessions"] == 16
    assert by_way["spinstack, OpenSSH wire, master there"]["logins"] == 0
    assert left_running("/spinstack-bench-") == []


def run(words: list[str]) -> None:
    done = subprocess.run(words, cwd=REPOSITORY, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr


def left_running(part: str) -> list[str]:
    """The processes with a part of a path in their command line."""
    found = []
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            words = process.read_bytes().decode("utf-8", "replace").split("\0")
            if any(part in word for word in words):
                found.append(" ".join(words))
    return found


def test_a_smoke_run_of_the_command_line_measures_every_command(tmp_path: Path):
    words = [sys.executable, "-m", "benchmarks.cli", "--quick", "--output", str(tmp_path)]
    run(words)
    goals = json.loads((tmp_path / "cli.json").read_text())
    assert goals and all(goal["measured"] > 0 for goal in goals)
