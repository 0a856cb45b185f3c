"""The results as Markdown tables, and a chart. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from benchmarks.common.chart import BLUE, GREY, YELLOW, Group, chart
from benchmarks.common.figures import Rounds, Spread
from benchmarks.common.goals import Goal, number
from benchmarks.common.tables import NOT_MEASURED, of_goals, of_machine, table, with_spread
from benchmarks.far import ways

NAME = "remote"
_OTHERS, _OURS, _FLOOR = "other ways", "spinstack", "the least: logging in"
SERIES = {
    _OTHERS: ("other ways", GREY),
    _OURS: ("spinstack", BLUE),
    _FLOOR: ("the least: to log in", YELLOW),
}
_FLOORS = (ways.TRUE, ways.FABRIC_TRUE, ways.WARM_TRUE)


def report(
    results: Rounds, goals: Iterable[Goal], machine: Mapping[str, object], picture: str
) -> str:
    """Everything of one run; `picture`: the chart's path as seen from the document."""
    of_tasks = [name for name in results.ways if name.partition(":")[0] in ways.TASKS]
    of_deploys = [name for name in results.ways if name not in of_tasks]
    parts = [
        "### Goals",
        of_goals(goals),
        "### A deploy",
        f"![milliseconds of each way, with spread]({picture})",
        _times(results, of_deploys),
        "### Tasks of one script",
        _times(results, of_tasks),
        "### The machine",
        of_machine(machine),
    ]
    return "\n\n".join(parts)


def _times(results: Rounds, names: Iterable[str]) -> str:
    rows = []
    for name in names:
        start = results.milliseconds(name, "startup")
        counted = (_counted(results, name, what) for what in ("logins", "sessions", "round_trips"))
        rows.append((name, with_spread(results.milliseconds(name)),
                     with_spread(start), *counted))  # fmt: skip
    head = ("way", "ms", "before it: Python's start, ms", "logins", "sessions", "round trips")
    return table(head, rows)


def _counted(results: Rounds, name: str, what: str) -> str:
    found = results.spread(name, what)
    return number(found.median) if found else NOT_MEASURED


def picture(results: Rounds, subtitle: str) -> str:
    """The chart of milliseconds, as SVG: the deploys, slowest first."""
    groups = []
    found = {name: results.milliseconds(name) for name in results.ways if _is_drawn(name)}
    for name in sorted(found, key=lambda name: -(found[name] or Spread(0, 0, 0, 0)).median):
        bar = found[name]
        if bar:
            trips = _counted(results, name, "round_trips")
            groups.append(Group(name, {_series(name): bar}, f"{trips} round trips"))
    title = "A deploy of fifteen steps at a round trip of 40 ms, in ms"
    return chart(title, subtitle, groups, SERIES, left=320)


def _is_drawn(name: str) -> bool:
    """No tasks, no whole commands, no other stack: they are in the tables."""
    return name.partition(":")[0] not in ways.TASKS and not name.startswith(
        ("invoke", "spinstack, all")
    )


def _series(name: str) -> str:
    if name in _FLOORS:
        return _FLOOR
    return _OURS if name.startswith(("spinstack", "invoke", "deploy")) else _OTHERS
