"""What was measured, round by round, and what it says: medians, spread, ratios. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from benchmarks.common.figures import Spread, spread

# The three that are compared.
TUTORIAL, GENERATED, NGINX = "tutorial", "generated", "nginx"


class Cell(NamedTuple):
    """One thing that is measured again in each round.

    `scenario` such as `static`; `item` such as `50 kB`; `connections` 0 where it does not
    apply; `variant` one of the three above.
    """

    scenario: str
    item: str
    connections: int
    variant: str


@dataclass
class Results:
    """Figures of each cell, a mapping metric -> value for each round."""

    rounds: dict[Cell, list[Mapping[str, float]]] = field(default_factory=dict)

    def add(self, cell: Cell, **figures: float) -> None:
        """One more round of a cell."""
        self.rounds.setdefault(cell, []).append(figures)

    def values(self, cell: Cell, metric: str) -> list[float]:
        return [figures[metric] for figures in self.rounds.get(cell, []) if metric in figures]

    def spread(self, cell: Cell, metric: str) -> Spread | None:
        return spread(self.values(cell, metric))

    def ratio(self, cell: Cell, to: Cell, metric: str) -> Spread | None:
        """Of the ratios within the same round, so that what slows a round down slows both
        sides of it. A round in which the other side is 0 has no ratio."""
        pairs = zip(self.values(cell, metric), self.values(to, metric), strict=False)
        return spread([mine / other for mine, other in pairs if other])

    def total(self, metric: str, *, variant: str, scenarios: Sequence[str]) -> float | None:
        """The sum over all rounds and items of some scenarios; None if none was measured."""
        found = [
            value
            for cell in self.rounds
            if cell.variant == variant and cell.scenario in scenarios
            for value in self.values(cell, metric)
        ]
        return sum(found) if found else None

    def cells(self, scenario: str) -> list[tuple[str, int]]:
        """Item and connections of every row of a scenario, as they came."""
        rows = ((cell.item, cell.connections) for cell in self.rounds if cell.scenario == scenario)
        return list(dict.fromkeys(rows))

    def as_json(self) -> list[dict[str, object]]:
        """Every figure that was taken."""
        return [
            {**cell._asdict(), "rounds": [dict(figures) for figures in rounds]}
            for cell, rounds in self.rounds.items()
        ]
