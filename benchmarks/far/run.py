"""One run: everything made ready, all ways in turn, all cleaned up."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path

from benchmarks.common import machine
from benchmarks.common.figures import in_turn
from benchmarks.common.outcome import Outcome, picture_path
from benchmarks.far import ansible, place, report, ways
from benchmarks.far.bench import Bench, Way
from benchmarks.far.goals import goals
from benchmarks.far.namespaces import FAR, Link, adopt_orphans, connect_seconds, end_children, sshd
from spin_rehearsal import packages
from spinstack.errors import SpinstackError
from spinstack.transport.runner import LocalRunner

# Seconds that a packet is held, each way: 40 ms there and back.
HOLD = 0.020
QUICK_HOLD = 0.001
PROGRAMS = {
    "sshd": "openssh-server",
    "ssh": "openssh-client",
    "ip": "iproute2",
    "nsenter": "util-linux",
}
Say = Callable[[str], None]


def run(rounds: int, *, quick: bool, say: Say) -> Outcome:
    """Measure. Raises SpinstackError where something is missing or fails."""
    begin = time.monotonic()
    if os.geteuid():
        raise SpinstackError(
            "network namespaces and an sshd can be made by root only", remedy="run it as root"
        )
    packages.ensure_packages(LocalRunner(), say, PROGRAMS)
    described = machine.describe()
    for doubt in machine.doubts(described):
        say(f"warning: {doubt}")
    playbook = None if quick else _ansible(say)
    with _opened(QUICK_HOLD if quick else HOLD, playbook, say) as bench:
        described["round_trip_ms"] = round(_median_connect(bench) * 1000, 1)
        ways.prepare(bench)
        for number in range(rounds):
            _round(bench, number)
    seconds = time.monotonic() - begin
    about = {
        **described,
        "load_average_after": round(os.getloadavg()[0], 2),
        "date": f"{datetime.now(timezone.utc):%Y-%m-%d %H:%M} UTC",
        "rounds": rounds,
        "seconds": round(seconds),
    }
    return _outcome(bench, about, seconds)


def _ansible(say: Say) -> Path | None:
    try:
        return ansible.program(cache())
    except SpinstackError as error:
        say(f"warning: {error}")
        return None


def cache() -> Path:
    """What stays between runs."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "spinstack-bench"


@contextmanager
def _opened(hold: float, playbook: Path | None, say: Say) -> Iterator[Bench]:
    """Both sides, as long as it lasts."""
    with tempfile.TemporaryDirectory(prefix="spinstack-bench-") as name:
        work = Path(name)
        found = place.make(work)
        adopt_orphans()
        try:
            link = Link(hold)
            with sshd(link, work, found.environment) as server:
                place.add_destinations(found, server)
                link.serve("127.0.0.1", place.REGISTRY_PORT, far=False)
                link.serve(FAR, place.SITE_PORT, far=True)
                yield Bench(link, server, found, work, say, playbook)
        finally:
            # The link, and every master that was left: they would keep the near namespace.
            end_children()


def _median_connect(bench: Bench) -> float:
    return sorted(connect_seconds(bench.server) for _ in range(5))[2]


def _round(bench: Bench, number: int) -> None:
    chosen = {way.name: way for way in ways.ways() if _has_turn(bench, way, number)}
    bench.say(f"round {number + 1} …")
    for name in in_turn(number, list(chosen)):
        bench.measure(number, chosen[name])


def _has_turn(bench: Bench, way: Way, number: int) -> bool:
    if way.name.startswith("Ansible") and not bench.ansible:
        return False
    return number % way.every == 0


def _outcome(bench: Bench, about: dict[str, object], seconds: float) -> Outcome:
    results = bench.results
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
