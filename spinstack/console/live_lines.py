"""The live lines of the running steps, as rich draws them."""

from __future__ import annotations

import time
from collections.abc import Sequence

from rich.console import Group
from rich.text import Text

from spinstack.console.progress import BAR_AFTER, StepDisplay

_TURNS, _PLAIN_TURNS = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏", "|/-\\"
_TURNS_A_SECOND = 10
# What is done, what is not: different even without colours.
_BAR, _PLAIN_BAR = ("━", "─"), ("=", "-")
# Columns of a bar; fewer where the terminal has less than the usual eighty.
_BAR_WIDTH, _NARROW_BAR_WIDTH, _USUAL_WIDTH = 20, 10, 80


def lines(steps: Sequence[StepDisplay], encoding: str, width: int) -> Group:
    """One line for each step: a spinner, its name, its time, its progress, what it does.

    What does not fit is cut off: a wrapped line could not be removed again.
    """
    plain = not encoding.startswith("utf")
    turns = _PLAIN_TURNS if plain else _TURNS
    turn = turns[int(time.monotonic() * _TURNS_A_SECOND) % len(turns)]
    full, empty = _PLAIN_BAR if plain else _BAR
    long = _BAR_WIDTH if width >= _USUAL_WIDTH else _NARROW_BAR_WIDTH
    return Group(*(_line(step, turn, full * long, empty * long) for step in steps))


def _line(step: StepDisplay, turn: str, full: str, empty: str) -> Text:
    line = Text(no_wrap=True, overflow="ellipsis")
    line.append(turn, "green").append(f" {step.name:<18} ").append(f"{step.seconds:>4.0f} s", "dim")
    if step.amount and step.seconds >= BAR_AFTER:
        at = int(step.amount.share * len(full))
        line.append("  ").append(full[:at], "green").append(empty[at:], "dim")
        line.append(f" {step.amount.told}")
    return line.append(f"  {step.doing}", "dim") if step.doing else line
