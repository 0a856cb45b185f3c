"""One run of the benchmark: everything made ready, scenarios in order, all cleaned up."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from benchmarks.common import machine as common_machine
from benchmarks.common import outcome
from benchmarks.common.goals import Goal
from benchmarks.serving import (
    delivery,
    faults,
    images,
    machine,
    memory,
    report,
    stage,
    traffic,
    tree,
)
from benchmarks.serving.bench import Bench, Effort
from benchmarks.serving.figures import GENERATED, NGINX, TUTORIAL
from benchmarks.serving.goals import goals
from benchmarks.serving.load import Driver
from spin_rehearsal import packages
from spinstack.errors import UsageError
from spinstack.images import engine
from spinstack.transport.runner import LocalRunner, Runner

# In this order; those that need all three at once first, those that restart them last.
SCENARIOS: dict[str, Callable[[Bench], None]] = {
    "static": traffic.static,
    "idle": traffic.idle,
    "dynamic": traffic.dynamic,
    "gzip": traffic.gzip,
    "busy": faults.busy,
    "half": faults.half,
    "worker": faults.worker,
    "frozen": faults.frozen,
    "gone": faults.gone,
    "cold": faults.cold,
    "memory": memory.memory,
    "images": delivery.delivery,
}
# Programs that a scenario needs besides the engine, and the Debian packages with them.
WRK, REGISTRY = {"wrk": "wrk"}, {"docker-registry": "docker-registry"}

# Numbers that no image knows, as on Spin; without root only our own can be given files.
OWNER = (41037, 58102) if os.geteuid() == 0 else (os.getuid(), os.getgid())
Say = Callable[[str], None]


@dataclass(frozen=True)
class Outcome:
    """What a run has found: `seconds` by scenario, `preparation` included."""

    bench: Bench
    goals: list[Goal]
    machine: dict[str, object]
    seconds: dict[str, float]


def run(effort: Effort, only: Sequence[str], log_driver: str, say: Say) -> Outcome:
    """Measure. Raises UsageError for an unknown scenario, SpinstackError where something is
    missing or fails; what was started is removed in any case."""
    unknown = sorted(set(only) - set(SCENARIOS))
    if unknown:
        raise UsageError(
            f"there is no scenario {unknown[0]}", remedy=f"one of: {', '.join(SCENARIOS)}"
        )
    runner = LocalRunner()
    pushes = "images" in (only or SCENARIOS) and not effort.quick
    packages.ensure_packages(runner, say, {**WRK, **REGISTRY} if pushes else WRK)
    found = engine.find(runner)
    machine.allow_files()
    seconds: dict[str, float] = {}
    processors = machine.take_processors()
    described = machine.describe(runner, found, processors)
    for doubt in machine.doubts(described):
        say(f"warning: {doubt}")
    place = stage.Stage(runner, found, processors, log_driver)
    with tempfile.TemporaryDirectory(prefix="spinstack-bench-") as work, stage.opened(place):
        Path(work).chmod(0o755)
        with _timed("preparation", seconds, say):
            bench = _prepared(runner, place, Path(work), effort, say)
        for name in only or SCENARIOS:
            with _timed(name, seconds, say):
                SCENARIOS[name](bench)
    return Outcome(bench, goals(bench.results), {**described, **_when(effort, seconds)}, seconds)


class _timed:
    """Says what begins, and afterwards how long it took."""

    def __init__(self, name: str, seconds: dict[str, float], say: Say) -> None:
        self._name, self._seconds, self._say = name, seconds, say

    def __enter__(self) -> None:
        self._say(f"{self._name} …")
        self._start = time.monotonic()

    def __exit__(self, *_: object) -> None:
        self._seconds[self._name] = time.monotonic() - self._start
        self._say(f"{self._name}: {self._seconds[self._name]:.0f} s")


def _prepared(runner: Runner, place: stage.Stage, work: Path, effort: Effort, say: Say) -> Bench:
    """The tree made, the images built, nothing started yet."""
    pages = tree.make(_cache(), effort.nights, effort.exposures, OWNER)
    shop = images.workshop(runner, place.engine, say)
    mounted = stage.copied(Path(__file__).parent / "mounted", work / "mounted")
    mounts = {
        "STATIC_DIR": str(pages.static),
        "DATA_DIR": str(pages.data),
        "NIGHTWATCH_DIR": str(mounted / "nightwatch"),
        "DESIMODEL_DIR": str(mounted / "desimodel"),
        "DESIUTIL_DIR": str(mounted / "desiutil"),
        "UID": str(OWNER[0]),
        "GROUP_ID": str(OWNER[1]),
    }
    places = images.Places(work, mounts)
    ours = images.generated(shop, places)
    variants = {
        GENERATED: ours,
        TUTORIAL: images.tutorial(shop, places, ours, quick=effort.quick),
        NGINX: images.raw(shop, places, ours),
    }
    return Bench(place, Driver(runner), shop, pages, variants, effort, say)


def _cache() -> Path:
    """Where the tree stays between runs; containers must be able to mount it."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "spinstack-bench"


def _when(effort: Effort, seconds: dict[str, float]) -> dict[str, object]:
    return {
        "load_average_after": round(os.getloadavg()[0], 2),
        "date": f"{datetime.now(timezone.utc):%Y-%m-%d %H:%M} UTC",
        "rounds": f"{effort.rounds} of throughput, {effort.fault_rounds} of faults",
        "seconds": {name: round(spent) for name, spent in seconds.items()},
    }


def told(found: Outcome) -> outcome.Outcome:
    """The same, ready to be shown, written to files and put into the document."""
    results = found.bench.results
    picture = outcome.picture_path(report.NAME).as_posix()
    return outcome.Outcome(
        name=report.NAME,
        goals=found.goals,
        machine=found.machine,
        cells=results.as_json(),
        text=report.report(results, found.goals, found.machine, picture),
        picture=report.picture(results, common_machine.in_a_line(found.machine)),
        seconds=found.seconds,
    )
