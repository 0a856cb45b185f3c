"""What was measured, round by round, and what it says: medians, spread, ratios. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Spread:
    """The median of some values, the smallest and the largest of them, and how many."""

    median: float
    low: float
    high: float
    count: int


def spread(values: Sequence[float]) -> Spread | None:
    """None without a value."""
    if not values:
        return None
    return Spread(statistics.median(values), min(values), max(values), len(values))


def single(value: float | None) -> Spread | None:
    """A figure that has no rounds; None stays None."""
    return None if value is None else Spread(value, value, value, 1)


def percentile(values: Sequence[float], part: float) -> float:
    """The smallest value that `part` of all (0 to 1) do not exceed. ValueError for none."""
    if not values:
        raise ValueError("no values")
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, -(-int(part * 1000) * len(ordered) // 1000) - 1))]


@dataclass
class Rounds:
    """Figures of ways to do the same: way -> number of the round -> metric -> value."""

    ways: dict[str, dict[int, Mapping[str, float]]] = field(default_factory=dict)

    def add(self, way: str, number: int, **figures: float) -> None:
        """What a way took in a round."""
        self.ways.setdefault(way, {})[number] = figures

    def values(self, way: str, metric: str) -> dict[int, float]:
        """By round; without the rounds in which it was not measured."""
        rounds = self.ways.get(way, {})
        return {number: each[metric] for number, each in rounds.items() if metric in each}

    def spread(self, way: str, metric: str) -> Spread | None:
        return spread(list(self.values(way, metric).values()))

    def milliseconds(self, way: str, metric: str = "seconds") -> Spread | None:
        """Of a metric in seconds."""
        return spread([1000 * value for value in self.values(way, metric).values()])

    def largest(self, way: str, metric: str) -> Spread | None:
        """For what is counted and must never be more than so much."""
        return single(max(self.values(way, metric).values(), default=None))

    def ratio(self, way: str, to: str, metric: str, to_metric: str = "") -> Spread | None:
        """Of the ratios within the same round, so that what slows a round down slows both
        sides of it. A round in which the other side is 0 or missing has no ratio."""
        others = self.values(to, to_metric or metric)
        mine = self.values(way, metric)
        return spread([mine[n] / others[n] for n in mine if others.get(n)])

    def difference(self, way: str, to: str, metric: str) -> Spread | None:
        """Of the differences within the same round."""
        others = self.values(to, metric)
        mine = self.values(way, metric)
        return spread([mine[n] - others[n] for n in mine if n in others])

    def as_json(self) -> list[dict[str, object]]:
        """Every figure that was taken."""
        return [
            {"way": way, "rounds": [{"round": number, **each} for number, each in rounds.items()]}
            for way, rounds in self.ways.items()
        ]


def in_turn(number: int, ways: Sequence[str]) -> list[str]:
    """The ways in the order of a round: A B C, then C B A, and so on."""
    return list(ways) if number % 2 == 0 else list(reversed(ways))
