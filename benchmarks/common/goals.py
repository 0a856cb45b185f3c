"""A goal with what was measured for it, and whether that meets it. Pure."""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.common.figures import Spread

AT_LEAST, AT_MOST, LESS_THAN = "at least", "at most", "less than"
_COMPARE: dict[str, Callable[[float, float], bool]] = {
    AT_LEAST: operator.ge,
    AT_MOST: operator.le,
    LESS_THAN: operator.lt,
}


@dataclass(frozen=True)
class Goal:
    """A goal: `limit` in `unit`, to be compared with `measured` (None: not measured)."""

    name: str
    compare: str
    limit: float
    unit: str
    measured: Spread | None

    @property
    def met(self) -> bool:
        """By the median."""
        return self.measured is not None and _COMPARE[self.compare](
            self.measured.median, self.limit
        )

    @property
    def text(self) -> str:
        """The goal in words."""
        return f"{self.compare} {number(self.limit)} {self.unit}"

    def as_json(self) -> dict[str, object]:
        """For the files in results/."""
        found = self.measured
        return {
            "name": self.name,
            "goal": self.text,
            "limit": self.limit,
            "measured": found.median if found else None,
            "low": found.low if found else None,
            "high": found.high if found else None,
            "rounds": found.count if found else 0,
            "unit": self.unit,
            "met": self.met,
        }


def number(value: float) -> str:
    """Three significant digits, without exponents: 0.0123, 4.56, 78.9, 12 300."""
    if value == 0:
        return "0"
    if abs(value) >= 100:
        return f"{round(value):,}".replace(",", " ")
    return f"{value:.3g}"
