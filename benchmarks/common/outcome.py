"""What a run leaves behind: the goals told, files with results, a part of the document."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.common import machine as common_machine
from benchmarks.common.goals import Goal, number
from benchmarks.common.tables import put_between_marks
from spinstack.errors import SpinstackError

REPOSITORY = Path(__file__).resolve().parents[2]
DOCUMENT = REPOSITORY / "docs" / "performance.md"
RESULTS = REPOSITORY / "benchmarks" / "results"


@dataclass(frozen=True)
class Outcome:
    """What a run of the benchmark `name` has found. `cells`: every figure; `seconds`: how
    long it took, by part; `text`: its part of the document; `picture`: the chart, SVG."""

    name: str
    goals: Sequence[Goal]
    machine: dict[str, object]
    cells: list[dict[str, object]]
    text: str
    picture: str
    seconds: dict[str, float] = field(default_factory=dict)


def picture_path(name: str) -> Path:
    """Of the chart, as seen from the document."""
    return Path("images", f"{name}.svg")


def show(outcome: Outcome, say: Callable[[str], None]) -> None:
    """The goals, one a line, then how long it took."""
    measured = [goal for goal in outcome.goals if goal.measured]
    for goal in measured:
        assert goal.measured is not None
        mark = "met " if goal.met else "MISS"
        say(f"{mark} {goal.name}: {number(goal.measured.median)} ({goal.text})")
    total = sum(outcome.seconds.values())
    say(f"{sum(goal.met for goal in measured)} of {len(measured)} goals met, {total:.0f} s")


def write(outcome: Outcome, directory: Path) -> None:
    """NAME.json (the goals) and NAME-figures.json (every figure) in a directory."""
    directory.mkdir(parents=True, exist_ok=True)
    line = common_machine.in_a_line(outcome.machine)
    listed = [{**goal.as_json(), "machine": line} for goal in outcome.goals]
    figures = {"machine": outcome.machine, "cells": outcome.cells}
    for suffix, content in (("", listed), ("-figures", figures)):
        text = json.dumps(content, indent=1, ensure_ascii=False) + "\n"
        (directory / f"{outcome.name}{suffix}.json").write_text(text, encoding="utf-8")


def document(outcome: Outcome, path: Path = DOCUMENT) -> None:
    """Put tables and chart into docs/performance.md. Raises SpinstackError without marks."""
    try:
        whole = put_between_marks(path.read_text(encoding="utf-8"), outcome.text, outcome.name)
    except ValueError as error:
        raise SpinstackError(
            "the results have no place in the document",
            where=str(path),
            remedy=f"put both marks back ({error})",
        ) from None
    path.write_text(whole, encoding="utf-8")
    picture = path.parent / picture_path(outcome.name)
    picture.parent.mkdir(exist_ok=True)
    picture.write_text(outcome.picture, encoding="utf-8")
