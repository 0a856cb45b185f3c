"""Pages made on demand: once for many who ask, whole or not at all."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests import baking

APP = baking.application()
from nightwatch_web import building  # noqa: E402
from nightwatch_web.building import build_once  # noqa: E402
from nightwatch_web.failures import Broken, Busy, Unavailable  # noqa: E402

PAGE = "x" * 100_000

# A process with many threads that ask for one page, all at the same moment.
ASKERS = """
import sys, time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from nightwatch_web.building import build_once
target, count, start = Path(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3])

def build(path):
    with count.open("a") as file:
        file.write("built\\n")
    with path.open("w") as file:
        for _ in range(10):
            file.write("x" * 10_000)
            file.flush()
            time.sleep(0.02)

def ask(_):
    time.sleep(max(0, start - time.time()))
    build_once(target, build, patience=30)
    assert target.stat().st_size == 100_000

with ThreadPoolExecutor(20) as pool:
    list(pool.map(ask, range(20)))
"""


def test_many_threads_and_processes_build_one_page_once(tmp_path: Path):
    target, count = tmp_path / "page.html", tmp_path / "count"
    command = [sys.executable, "-c", ASKERS, str(target), str(count), str(time.time() + 0.7)]
    askers = [
        subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(APP)}) for _ in range(4)
    ]
    # Meanwhile nobody ever sees a part of the page.
    while any(asker.poll() is None for asker in askers):
        if target.exists():
            assert target.stat().st_size == len(PAGE)
        time.sleep(0.002)
    assert [asker.returncode for asker in askers] == [0] * 4
    assert count.read_text() == "built\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["count", "page.html"]


def test_a_builder_that_is_killed_blocks_nobody(tmp_path: Path):
    target = tmp_path / "page.html"
    code = (
        "import os, sys; from pathlib import Path; from nightwatch_web.building import build_once\n"
        "build_once(Path(sys.argv[1]), lambda p: (p.write_text('half'), os.kill(os.getpid(), 9)))"
    )
    command = [sys.executable, "-c", code, str(target)]
    killed = subprocess.run(command, env={**os.environ, "PYTHONPATH": str(APP)})
    assert killed.returncode == -9
    (leftover,) = tmp_path.iterdir()
    assert leftover.name.startswith(".")
    long_ago = time.time() - 2 * building.ABANDONED
    os.utime(leftover, (long_ago, long_ago))
    build_once(target, lambda path: path.write_text("whole") and None)
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]
    assert target.read_text() == "whole"


def test_the_next_one_tries_again_after_a_failure(tmp_path: Path):
    target = tmp_path / "page.html"
    started = threading.Event()

    def fail(path: Path) -> None:
        path.write_text("half")
        started.set()
        time.sleep(0.2)
        raise KeyError("IMAGE")

    with ThreadPoolExecutor() as pool:
        failing = pool.submit(build_once, target, fail)
        started.wait(5)
        build_once(target, lambda path: path.write_text("whole") and None)
    assert isinstance(failing.exception(), KeyError)
    assert target.read_text() == "whole"


def test_nobody_waits_for_ever(tmp_path: Path):
    target = tmp_path / "page.html"
    started, finish = threading.Event(), threading.Event()

    def slow(path: Path) -> None:
        path.write_text("whole")
        started.set()
        finish.wait(10)

    with ThreadPoolExecutor() as pool:
        building_it = pool.submit(build_once, target, slow)
        started.wait(5)
        with pytest.raises(Busy, match="being made"):
            build_once(target, slow, patience=0.1)
        finish.set()
    assert building_it.exception() is None


def test_nothing_written_is_no_page(tmp_path: Path):
    with pytest.raises(Broken):
        build_once(tmp_path / "page.html", lambda path: None)
    with pytest.raises(Broken):
        build_once(tmp_path / "page.html", lambda path: path.unlink())
    assert list(tmp_path.iterdir()) == []


def test_a_directory_that_cannot_be_is_told(tmp_path: Path):
    (tmp_path / "file").touch()
    with pytest.raises(Unavailable, match="can't be written to"):
        build_once(tmp_path / "file" / "page.html", lambda path: None)
