"""Figures as Markdown tables, put between marks of docs/performance.md. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from benchmarks.common.figures import Spread
from benchmarks.common.goals import Goal, number

NOT_MEASURED = "–"


def marks(name: str) -> tuple[str, str]:
    """Between which the tables of a benchmark stand."""
    return f"<!-- {name}: start -->", f"<!-- {name}: end -->"


def put_between_marks(document: str, text: str, name: str) -> str:
    """The document with the part between the marks replaced. ValueError if it has none."""
    start, end = marks(name)
    between = re.compile(f"{re.escape(start)}.*?{re.escape(end)}", re.DOTALL)
    if not between.search(document):
        raise ValueError(f"no {start} … {end}")
    return between.sub(lambda _: f"{start}\n{text.strip()}\n{end}", document, count=1)


def table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def with_spread(found: Spread | None, unit: str = "") -> str:
    """`12.3 [11–14]`, the median and both ends."""
    if found is None:
        return NOT_MEASURED
    middle, low, high = (number(value) for value in (found.median, found.low, found.high))
    return f"{middle}{unit}" if low == high else f"{middle}{unit} [{low}–{high}]"


def of_goals(goals: Iterable[Goal]) -> str:
    rows = [
        (goal.name, goal.text, with_spread(goal.measured), "yes" if goal.met else "**no**")
        for goal in goals
    ]
    return table(("goal", "wanted", "measured, median [spread]", "met"), rows)


def of_machine(machine: Mapping[str, object]) -> str:
    rows = [(key.replace("_", " "), _text(value)) for key, value in machine.items()]
    return table(("", ""), rows)


def _text(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {item}" for key, item in value.items())
    return str(value)
