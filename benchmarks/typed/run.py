"""One run: the directories made, every command in turn, all removed."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path

from benchmarks.common import machine
from benchmarks.common.figures import Rounds, in_turn
from benchmarks.common.outcome import Outcome, picture_path
from benchmarks.typed import report, ways
from benchmarks.typed.goals import goals
from benchmarks.typed.ways import Way
from spinstack.errors import SpinstackError


def run(rounds: int, *, quick: bool, say: Callable[[str], None]) -> Outcome:
    """Measure, after one round that warms the disk cache. Raises SpinstackError."""
    begin = time.monotonic()
    described = machine.describe()
    for doubt in machine.doubts(described):
        say(f"warning: {doubt}")
    results = Rounds()
    with tempfile.TemporaryDirectory(prefix="spinstack-bench-") as name:
        work = Path(name)
        chosen = {way.name: way for way in ways.ways(work)}
        environment = _environment(work)
        for number in range(-1, rounds):
            for way in in_turn(number, list(chosen)):
                seconds = _seconds(chosen[way], environment)
                if number >= 0:
                    results.add(way, number, seconds=seconds)
    seconds = time.monotonic() - begin
    about = {
        **described,
        "load_average_after": round(os.getloadavg()[0], 2),
        "date": f"{datetime.now(timezone.utc):%Y-%m-%d %H:%M} UTC",
        "rounds": rounds,
        "seconds": round(seconds),
    }
    return _outcome(results, about, seconds)


def _seconds(way: Way, environment: dict[str, str]) -> float:
    """Of the whole process."""
    ways.clear(way)
    begin = time.perf_counter()
    done = ways.run(way, environment)
    seconds = time.perf_counter() - begin
    if done.returncode:
        raise SpinstackError(
            f"failed with exit code {done.returncode}: {way.name}",
            where=str(way.place),
            details=done.stdout[-1000:] + done.stderr[-2000:],
        )
    return seconds


def _environment(work: Path) -> dict[str, str]:
    """Without the settings of whoever runs this."""
    mine = ("INVOKE_", "RANCHER_", "SPINSTACK_", "PYTHON", "XDG_", "COOKIECUTTER_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(mine)}
    home = work / "home"
    home.mkdir()
    return {**kept, "HOME": str(home), "TERM": "dumb", "LC_ALL": "C.UTF-8"}


def _outcome(results: Rounds, about: dict[str, object], seconds: float) -> Outcome:
    judged = goals(results)
    picture = picture_path(report.NAME).as_posix()
    return Outcome(
        name=report.NAME,
        goals=judged,
        machine=about,
        cells=results.as_json(),
        text=report.report(results, judged, about, picture),
        picture=report.picture(results, machine.in_a_line(about)),
        seconds={"all": seconds},
    )
