"""The live lines of the steps under way, as rich draws them."""

from __future__ import annotations

import time
from collections.abc import Sequence

from rich.console import Group
from rich.text import Text

from spinstack.step_display import BAR_AFTER, StepDisplay

_TURNS, _PLAIN_TURNS = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏", "|/-\\"
_TURNS_A_SECOND = 10
# What is done, what is not: to be told apart without colours, too.
_BAR, _PLAIN_BAR, _BAR_WIDTH = "━─", "=-", 20


def lines(steps: Sequence[StepDisplay], encoding: str) -> Group:
    """One line for each step: a spinner, its name, its time, how far it is, what it does.

    What does not fit is cut off: a line that took two could not be taken away again.
    """
    plain = not encoding.startswith("utf")
    turns = _PLAIN_TURNS if plain else _TURNS
    turn = turns[int(time.monotonic() * _TURNS_A_SECOND) % len(turns)]
    return Group(*(_line(step, turn, _PLAIN_BAR if plain else _BAR) for step in steps))


def _line(step: StepDisplay, turn: str, bar: str) -> Text:
    line = Text(no_wrap=True, overflow="ellipsis")
    line.append(turn, "green").append(f" {step.name:<18} ").append(f"{step.seconds:>4.0f} s", "dim")
    if step.amount and step.seconds >= BAR_AFTER:
        full = int(step.amount.share * _BAR_WIDTH)
        line.append("  ").append(bar[0] * full, "green").append(bar[1] * (_BAR_WIDTH - full), "dim")
        line.append(f" {step.amount.told}")
    return line.append(f"  {step.doing}", "dim") if step.doing else line
