"""The results as Markdown tables, and a chart. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from benchmarks.cluster import ways
from benchmarks.common.chart import BLUE, GREY, Group, chart
from benchmarks.common.figures import Rounds
from benchmarks.common.goals import Goal, number
from benchmarks.common.tables import NOT_MEASURED, of_goals, of_machine, table, with_spread

NAME = "kubernetes"
SERIES = {"others": ("others", GREY), "ours": ("spinstack", BLUE)}
# Ours, and what each is compared with.
PAIRS = {
    ways.STATUS: (ways.GET_AND_START,),
    ways.NOTHING: (ways.NOTHING_KUBECTL, ways.NOTHING_HELM),
    ways.CHANGE: (ways.CHANGE_KUBECTL, ways.CHANGE_HELM),
}


def report(
    results: Rounds, goals: Iterable[Goal], machine: Mapping[str, object], picture: str
) -> str:
    """Everything of one run; `picture`: the chart's path as seen from the document."""
    parts = [
        "### Goals on a Kubernetes",
        of_goals(goals),
        "### Each command there",
        f"![milliseconds of each command, with spread]({picture})",
        _times(results),
        "### The machine with the cluster",
        of_machine(machine),
    ]
    return "\n\n".join(parts)


def _times(results: Rounds) -> str:
    rows = []
    for name in results.ways:
        calls = results.largest(name, "calls")
        rows.append(
            (
                name,
                with_spread(results.milliseconds(name)),
                with_spread(results.milliseconds(name, "serves")),
                number(calls.median) if calls else NOT_MEASURED,
                _ratios(results, name),
            )
        )
    head = ("command", "ms", "to the first new answer, ms", "calls of kubectl", "ratio to it")
    return table(head, rows)


def _ratios(results: Rounds, name: str) -> str:
    """Of ours to this way."""
    ours = next((one for one, others in PAIRS.items() if name in others), None)
    return with_spread(results.ratio(ours, name, "seconds")) if ours else ""


def picture(results: Rounds, subtitle: str) -> str:
    """The chart of milliseconds, as SVG."""
    groups = []
    for name in results.ways:
        bar = results.milliseconds(name)
        if bar:
            groups.append(Group(name, {"ours" if name in PAIRS else "others": bar}, ""))
    title = "Milliseconds of a command on a Kubernetes, from the shell and back"
    return chart(title, subtitle, groups, SERIES, left=430)
