"""The results as Markdown tables, and a chart. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from benchmarks.common.chart import BLUE, GREY, Group, chart
from benchmarks.common.figures import Rounds
from benchmarks.common.goals import Goal
from benchmarks.common.tables import of_goals, of_machine, table, with_spread
from benchmarks.typed import ways

NAME = "cli"
SERIES = {"others": ("others", GREY), "ours": ("spinstack", BLUE)}
# Ours, and what each is compared with.
PAIRS = {
    ways.LIST: ways.LIST_TRIVIAL,
    ways.LIST_FABRIC: ways.LIST,
    ways.LIST_ALL: ways.LIST,
    ways.HELP: ways.HELP_TRIVIAL,
    ways.COMPLETE: ways.COMPLETE_TRIVIAL,
    ways.RENDER: ways.COOKIECUTTER,
    ways.RELEASE: ways.COOKIECUTTER,
    ways.NEW: ways.COOKIECUTTER,
    ways.LIST_TRIVIAL: ways.PYTHON,
    ways.LIST_BARE: ways.LIST,
}
_OURS = (ways.LIST, ways.HELP, ways.COMPLETE, ways.RENDER, ways.RELEASE, ways.NEW)


def report(
    results: Rounds, goals: Iterable[Goal], machine: Mapping[str, object], picture: str
) -> str:
    """Everything of one run; `picture`: the chart's path as seen from the document."""
    parts = [
        "### Goals of the command line",
        of_goals(goals),
        "### Each command",
        f"![milliseconds of each command, with spread]({picture})",
        _times(results),
        "### The machine, this time",
        of_machine(machine),
    ]
    return "\n\n".join(parts)


def _times(results: Rounds) -> str:
    rows = []
    for name in results.ways:
        to = PAIRS.get(name)
        ratio = with_spread(results.ratio(name, to, "seconds")) if to else ""
        rows.append((name, with_spread(results.milliseconds(name)), ratio, to or ""))
    return table(("command", "ms", "ratio", "to"), rows)


def picture(results: Rounds, subtitle: str) -> str:
    """The chart of milliseconds, as SVG."""
    groups = []
    for name in results.ways:
        bar = results.milliseconds(name)
        if bar:
            groups.append(Group(name, {"ours" if name in _OURS else "others": bar}, ""))
    title = "Milliseconds of a command, from the shell and back"
    return chart(title, subtitle, groups, SERIES, left=380)
