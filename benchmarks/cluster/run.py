"""One run: a cluster started, the stack brought there three times, all ways in turn."""

from __future__ import annotations

import compileall
import os
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timezone
from pathlib import Path

from benchmarks.cluster import helm, place, report, ways
from benchmarks.cluster.bench import Bench, Way
from benchmarks.cluster.goals import goals
from benchmarks.cluster.helm import Programs
from benchmarks.common import machine
from benchmarks.common.figures import Rounds, in_turn
from benchmarks.common.outcome import Outcome, picture_path
from benchmarks.typed.ways import PACKAGE
from spin_rehearsal import packages
from spinstack.errors import SpinstackError
from spinstack.transport.runner import LocalRunner
from tests.cluster import available, build, sharing
from tests.cluster.cluster import ClusterError

# Rounds of what changes nothing, for each round of changes: it takes a tenth of the time.
QUICK_PER_ROUND = 2
PARTS = {"docker-registry": "docker-registry", **available.PROGRAMS}
Say = Callable[[str], None]


def run(rounds: int, *, quick: bool, say: Say) -> Outcome:
    """Measure. Raises SpinstackError where something is missing or fails."""
    begin = time.monotonic()
    if not os.geteuid():
        packages.ensure_packages(LocalRunner(), say, PARTS)
    if reason := available.reason():
        raise SpinstackError(reason, remedy="see tests/cluster/README.md")
    # As pip does with a package that is not a checkout.
    compileall.compile_dir(PACKAGE, quiet=1)
    programs = _programs(say)
    say("starting the cluster …")
    try:
        with (
            sharing.shared(f"bench-{os.getpid()}") as cluster,
            place.made(cluster, programs, cache(), say) as found,
        ):
            bench = Bench(found, say)
            ways.first(bench)
            described = machine.describe()
            for doubt in machine.doubts(described):
                say(f"warning: {doubt}")
            _rounds(bench, ways.quick_ways(bench), rounds * (1 if quick else QUICK_PER_ROUND))
            _rounds(bench, ways.changes(bench), rounds)
    except (ClusterError, build.CannotFetch) as error:
        raise SpinstackError(f"the cluster failed: {error}") from None
    about = {
        **described,
        **_versions(programs),
        "load_average_after": round(os.getloadavg()[0], 2),
        "date": f"{datetime.now(timezone.utc):%Y-%m-%d %H:%M} UTC",
        "rounds": f"{rounds} of changes, {rounds * QUICK_PER_ROUND} of the others",
        "seconds": round(time.monotonic() - begin),
    }
    return _outcome(bench.results, about, time.monotonic() - begin)


def _programs(say: Say) -> Programs | None:
    try:
        return helm.programs(cache())
    except SpinstackError as error:
        say(f"warning: {error}; kubectl is the cluster's own, Helm is left out")
        return None


def cache() -> Path:
    """What stays between runs."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "spinstack-bench"


def _rounds(bench: Bench, chosen: Sequence[Way], rounds: int) -> None:
    by_name = {way.name: way for way in chosen}
    for number in range(rounds):
        bench.say(f"round {number + 1} of {rounds} …")
        for name in in_turn(number, list(by_name)):
            by_name[name].measure(bench, number)


def _versions(programs: Programs | None) -> dict[str, str]:
    found = {"kubernetes": build.kubernetes_version()}
    if programs:
        told = helm.version(programs.kubectl, "version", "--client").partition("\n")[0]
        found["kubectl"] = told.rpartition(" ")[2]
        found["helm"] = helm.version(programs.helm, "version", "--short")
    return found


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
