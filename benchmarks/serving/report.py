"""The results as Markdown tables, put between the marks of docs/performance.md. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from benchmarks.common.chart import BLUE, GREY, YELLOW, Group, chart
from benchmarks.common.goals import Goal, number
from benchmarks.common.tables import NOT_MEASURED, of_goals, of_machine, table, with_spread
from benchmarks.serving.bench import ALL, STACKS
from benchmarks.serving.figures import GENERATED, NGINX, TUTORIAL, Cell, Results

NAME = "serving"
# By variant: what it is called in the legend, and its colour.
SERIES = {
    TUTORIAL: ("the tutorial's stack", GREY),
    GENERATED: ("generated stack", BLUE),
    NGINX: ("bare nginx", YELLOW),
}


def report(
    results: Results, goals: Iterable[Goal], machine: Mapping[str, object], picture: str
) -> str:
    """Everything of one run; `picture`: the chart's path as seen from the document."""
    parts = [
        "### Goals",
        of_goals(goals),
        "### Requests a second",
        f"![requests per second of the three, with spread]({picture})",
        _rates(results),
        "### Latency, p50 / p99 in ms",
        _latencies(results),
        "### Bytes of one answer, headers and body",
        _wire(results),
        "### When things go wrong",
        _faults(results),
        "### Starting, memory, images",
        _rest(results),
        "### The machine",
        of_machine(machine),
    ]
    return "\n\n".join(parts)


def _rows(results: Results, *scenarios: str) -> list[tuple[str, str, int]]:
    return [(scenario, *row) for scenario in scenarios for row in results.cells(scenario)]


def _rates(results: Results) -> str:
    rows = []
    for scenario, item, count in _rows(results, "static", "idle", "dynamic", "gzip"):
        cells = {name: Cell(scenario, item, count, name) for name in ALL}
        figures = [with_spread(results.spread(cells[name], "rate")) for name in ALL]
        ratios = [
            with_spread(results.ratio(cells[GENERATED], cells[to], "rate"))
            for to in (TUTORIAL, NGINX)
        ]
        rows.append((item, str(count), *figures, *ratios))
    head = ("page", "connections", "tutorial", "generated", "bare nginx")
    return table((*head, "generated / tutorial", "generated / nginx"), rows)


def _latencies(results: Results) -> str:
    rows = []
    for scenario, item, count in _rows(results, "static", "idle", "dynamic"):
        cells = [Cell(scenario, item, count, name) for name in ALL]
        rows.append((item, str(count), *(_p50_and_p99(results, cell) for cell in cells)))
    return table(("page", "connections", "tutorial", "generated", "bare nginx"), rows)


def _p50_and_p99(results: Results, cell: Cell) -> str:
    found = [results.spread(cell, metric) for metric in ("p50", "p99")]
    return " / ".join(number(one.median) if one else NOT_MEASURED for one in found)


def _wire(results: Results) -> str:
    rows = []
    for item, _ in results.cells("wire"):
        cells = [Cell("wire", item, 0, name) for name in STACKS]
        kinds = ("plain", "gzip", "unchanged")
        figures = [with_spread(results.spread(cell, kind)) for kind in kinds for cell in cells]
        rows.append((item, *figures))
    kinds_head = ("plain", "gzip accepted", "not modified")
    head = [f"{kind}, {name}" for kind in kinds_head for name in STACKS]
    return table(("page", *head), rows)


def _faults(results: Results) -> str:
    rows = []
    names = {
        "busy": "five 10 s requests",
        "frozen": "application frozen for 3 s",
        "gone": "application killed",
        "half": "half-sent requests",
        "worker": "a worker killed, full load",
    }
    for scenario, item, count in _rows(results, *names):
        cells = [Cell(scenario, item, count, name) for name in STACKS]
        figures = [_fault(results, cell) for cell in cells]
        rows.append((names[scenario], item, *figures))
    head = "failed of asked; p50 / p99 in ms"
    return table(("event", "page", f"tutorial: {head}", f"generated: {head}"), rows)


def _fault(results: Results, cell: Cell) -> str:
    failed, asked = (sum(results.values(cell, metric)) for metric in ("failed", "asked"))
    if not asked:
        return NOT_MEASURED
    return f"{number(failed)} of {number(asked)}; {_p50_and_p99(results, cell)}"


def _rest(results: Results) -> str:
    wanted = (
        ("cold", "static", "seconds", " s", "cold start to the first static page"),
        ("cold", "dynamic", "seconds", " s", "cold start to the first dynamic page"),
        ("back", "dynamic", "seconds", " s", "application back: first page made anew"),
        ("memory", "PSS", "mib", " MiB", "memory (PSS) after the same load"),
        ("memory", "PSS", "app", " MiB", "of it the application"),
        ("memory", "PSS", "processes", "", "processes"),
        ("image", "app", "mb", " MB", "image of the application"),
        ("image", "web", "mb", " MB", "image of nginx"),
        ("rebuild", "app", "seconds", " s", "rebuild after one line of app.py changed"),
        ("push", "app", "kb", " kB", "pushed then"),
    )
    rows = []
    for scenario, item, metric, unit, words in wanted:
        ours, theirs = (Cell(scenario, item, 0, name) for name in (GENERATED, TUTORIAL))
        figures = [with_spread(results.spread(cell, metric), unit) for cell in (theirs, ours)]
        rows.append((words, *figures, with_spread(results.ratio(ours, theirs, metric))))
    return table(("", "tutorial", "generated", "generated / tutorial"), rows)


def picture(results: Results, subtitle: str) -> str:
    """The chart of requests/s at 16 connections, as SVG."""
    groups = []
    for scenario, item, count in _rows(results, "static", "dynamic"):
        if count != 16:
            continue
        cells = {name: Cell(scenario, item, count, name) for name in ALL}
        found = {name: results.spread(cell, "rate") for name, cell in cells.items()}
        bars = {name: bar for name, bar in found.items() if bar and bar.median}
        ratio = results.ratio(cells[GENERATED], cells[TUTORIAL], "rate")
        groups.append(Group(item, bars, f"{number(ratio.median)} × tutorial" if ratio else ""))
    return chart("Requests a second at 16 connections, one server core", subtitle, groups, SERIES)
