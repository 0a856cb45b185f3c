"""The goals of the command line, each with what was measured for it. Pure."""

from __future__ import annotations

from benchmarks.common.figures import Rounds
from benchmarks.common.goals import AT_LEAST, AT_MOST, Goal
from benchmarks.typed import ways

TIMES, FASTER = "× as long", "× faster"


def goals(results: Rounds) -> list[Goal]:
    """Every goal."""

    def ratio(name: str, limit: float, way: str, to: str) -> Goal:
        return Goal(name, AT_MOST, limit, TIMES, results.ratio(way, to, "seconds"))

    faster = results.ratio(ways.LIST_FABRIC, ways.LIST, "seconds")
    return [
        ratio("invoke --list, against three trivial tasks", 1.1, ways.LIST, ways.LIST_TRIVIAL),
        Goal("invoke --list, than with fabric imported at the top", AT_LEAST, 1.4, FASTER, faster),
        ratio("invoke render, against cookiecutter's command line", 0.6,
              ways.RENDER, ways.COOKIECUTTER),
    ]  # fmt: skip
