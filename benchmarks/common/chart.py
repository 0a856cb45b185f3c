"""A chart as SVG: bars on a logarithmic scale, the spread as a line. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape

from benchmarks.common.figures import Spread
from benchmarks.common.goals import number

# Colours that can be told from each other without red and green.
GREY, BLUE, YELLOW = "#b0b8c1", "#2c728e", "#e0a93b"
# By series: what it is called in the legend, and its colour.
Series = Mapping[str, tuple[str, str]]
_WIDTH, _RIGHT, _TOP = 900, 190, 84
_BAR, _GAP = 16, 16
_INK, _SOFT, _LINE = "#1c2733", "#566373", "#dce2e9"


@dataclass(frozen=True)
class Group:
    """A row of the chart: a bar for each series that was measured, and a note behind."""

    label: str
    bars: dict[str, Spread]
    note: str


def chart(
    title: str, subtitle: str, groups: list[Group], series: Series, *, left: int = 150
) -> str:
    """The whole file. `left`: room for the labels, in points."""
    values = [value for group in groups for bar in group.bars.values() for value in _ends(bar)]
    low = 10 ** math.floor(math.log10(max(1.0, min(values, default=1.0))))
    high = 10 ** math.ceil(math.log10(max(10.0, max(values, default=10.0))))
    scale = _Scale(low, high, left)
    parts, y = [], float(_TOP)
    for group in groups:
        parts.append(_group(group, y, scale, series))
        y += len(group.bars) * _BAR + _GAP
    head = _text(left, 26, title, 17, _INK, weight="600")
    head += _text(left, 46, subtitle, 12, _SOFT) + _legend(left, 64, series)
    height = int(y + 30)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" '
        f'role="img" aria-label="{escape(title)}" font-family="system-ui, sans-serif">'
        f'<rect width="{_WIDTH}" height="{height}" fill="#ffffff"/>'
        f"{head}{_axis(scale, y)}{''.join(parts)}</svg>\n"
    )


@dataclass(frozen=True)
class _Scale:
    low: float
    high: float
    left: int

    def x(self, value: float) -> float:
        part = math.log10(max(value, self.low) / self.low) / math.log10(self.high / self.low)
        return round(self.left + part * (_WIDTH - self.left - _RIGHT), 1)


def _ends(bar: Spread) -> tuple[float, float, float]:
    return bar.median, bar.low, bar.high


def _group(group: Group, y: float, scale: _Scale, series: Series) -> str:
    middle = y + len(group.bars) * _BAR / 2
    parts = [_text(scale.left - 10, middle + 4, group.label, 13, _INK, anchor="end")]
    for index, (name, bar) in enumerate(group.bars.items()):
        parts.append(_bar(bar, series[name][1], y + index * _BAR, scale))
    parts.append(_text(_WIDTH - _RIGHT + 64, middle + 4, group.note, 12, _INK))
    return "".join(parts)


def _bar(bar: Spread, colour: str, y: float, scale: _Scale) -> str:
    end, low, high = scale.x(bar.median), scale.x(bar.low), scale.x(bar.high)
    middle = y + _BAR / 2
    return (
        f'<rect x="{scale.left}" y="{y + 1}" width="{end - scale.left:.1f}" height="{_BAR - 2}" '
        f'fill="{colour}"/>'
        f'<path d="M{low} {middle}H{high}M{low} {middle - 3}v6M{high} {middle - 3}v6" '
        f'stroke="{_INK}" fill="none"/>'
        + _text(high + 6, middle + 4, number(bar.median), 11, _SOFT)
    )


def _axis(scale: _Scale, bottom: float) -> str:
    parts = []
    value = scale.low
    while value <= scale.high:
        x = scale.x(value)
        parts.append(f'<path d="M{x} {_TOP - 6}V{bottom}" stroke="{_LINE}"/>')
        parts.append(_text(x, bottom + 16, number(value), 11, _SOFT, anchor="middle"))
        value *= 10
    return "".join(parts)


def _legend(left: int, y: float, series: Series) -> str:
    parts, x = [], float(left)
    for name, colour in series.values():
        parts.append(f'<rect x="{x}" y="{y - 9}" width="12" height="10" fill="{colour}"/>')
        parts.append(_text(x + 17, y, name, 12, _INK))
        x += 150
    return "".join(parts)


def _text(
    x: float,
    y: float,
    text: str,
    size: int,
    colour: str,
    *,
    anchor: str = "start",
    weight: str = "",
) -> str:
    bold = f' font-weight="{weight}"' if weight else ""
    return (
        f'<text x="{x}" y="{y}" font-size="{size}" fill="{colour}" text-anchor="{anchor}"{bold}>'
        f"{escape(text)}</text>"
    )
