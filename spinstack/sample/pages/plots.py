"""Plots as inline SVG: they need no script, and scale with the page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from html import escape

from spinstack.sample.quality import AMPLIFIERS, Fibre, Quality
from spinstack.sample.survey import Exposure

# Dark to bright, readable without red and green (after matplotlib's viridis).
SCALE = ("#440154", "#472d7b", "#3b528b", "#2c728e", "#21918c", "#28ae80", "#5ec962", "#addc30",
         "#fde725")  # fmt: skip
PROGRAM_COLOURS = {"DARK": "#34527a", "BRIGHT": "#c98a1b", "BACKUP": "#7a8a99"}
_INK, _SOFT, _LINE = "#1c2733", "#566373", "#dce2e9"


def focal_plane(
    title: str, fibres: Sequence[Fibre], value: Callable[[Fibre], float], low: float, high: float
) -> str:
    """A dot for each fibre where it is on the focal plane, coloured by `value`."""
    dots: dict[int, list[str]] = {}
    for fibre in fibres:
        at = f"M{fibre.x:g} {-fibre.y:g}h0"  # the y axis of SVG points down
        dots.setdefault(_step(value(fibre), low, high), []).append(at)
    # One path for each colour, whose zero-length strokes with round ends are the dots.
    paths = "".join(
        f'<path stroke="{SCALE[step]}" d="{"".join(places)}"/>'
        for step, places in sorted(dots.items())
    )
    inside = (
        f'<circle r="418" fill="#fbfcfd" stroke="{_LINE}" stroke-width="3"/>'
        f'<g fill="none" stroke-width="24" stroke-linecap="round">{paths}</g>'
        + _scale_bar(-300, 450, low, high, size=24)
    )
    return _svg(title, "-440 -430 880 940", 430, 459, inside)


def amplifier_map(title: str, quality: Quality, low: float, high: float) -> str:
    """Read noise of all amplifiers: a row an arm, a column a spectrograph, four a camera."""
    cells = []
    for (camera, letter), amplifier in quality.amplifiers.items():
        column, row = _place(camera, letter)
        colour = SCALE[_step(amplifier.read_noise, low, high)]
        cells.append(
            f'<rect x="{column}" y="{row}" width="42" height="30" fill="{colour}">'
            f"<title>{camera} {letter}: {amplifier.read_noise:.2f} electrons</title></rect>"
        )
    names = "".join(
        _text(90 + 96 * number, 30, str(number), 20, "middle") for number in range(10)
    ) + "".join(_text(26, 88 + 76 * row, arm, 22, "middle") for row, arm in enumerate("brz"))
    inside = f"<g>{''.join(cells)}</g>{names}{_scale_bar(208, 286, low, high, size=17)}"
    return _svg(title, "0 0 1016 330", 1016, 330, inside)


def timeline(title: str, exposures: Sequence[Exposure]) -> str:
    """The night from left to right: exposures as bars, the seeing as a line above."""
    first = exposures[0].start.replace(minute=0, second=0)
    hours = int((exposures[-1].end - first) / timedelta(hours=1)) + 1
    width = 980 / hours

    def across(time: datetime) -> float:
        return 70 + width * ((time - first) / timedelta(hours=1))

    ticks = "".join(
        f'<path d="M{70 + width * hour:.0f} 20v150" stroke="{_LINE}"/>'
        + _text(70 + width * hour, 192, f"{(first.hour + hour) % 24:02d}:00", 13, "middle")
        for hour in range(hours + 1)
    )
    bars = "".join(_bar(exposure, across(exposure.start), across(exposure.end))
                   for exposure in exposures)  # fmt: skip
    points = [(across(e.start + (e.end - e.start) / 2), _seeing_height(e.seeing))
              for e in exposures]  # fmt: skip
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    marks = "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4"/>' for x, y in points)
    seeing = f'<polyline points="{line}" fill="none" stroke="#b3572b" stroke-width="2"/>'
    levels = "".join(
        _text(60, _seeing_height(level) + 4, f"{level:.1f}″", 13, "end") for level in (1.0, 2.0)
    )
    inside = ticks + bars + seeing + f'<g fill="#b3572b">{marks}</g>' + levels
    return _svg(title, "0 0 1100 200", 1100, 200, inside)


def _bar(exposure: Exposure, left: float, right: float) -> str:
    return (
        f'<rect x="{left:.1f}" y="112" width="{right - left:.1f}" height="46" rx="4" '
        f'fill="{PROGRAM_COLOURS[exposure.program]}"><title>{exposure.expid} '
        f"{exposure.program}, {exposure.seconds:.0f} s</title></rect>"
    )


def _seeing_height(seeing: float) -> float:
    return 140 - 48 * min(seeing, 2.5)


def _place(camera: str, letter: str) -> tuple[int, int]:
    """Upper left corner of an amplifier in the map; C and D read the upper half."""
    index = AMPLIFIERS.index(letter)
    column = 47 + 96 * int(camera[1]) + 44 * (index % 2)
    return column, 50 + 76 * "brz".index(camera[0]) + 32 * (index < 2)


def _step(value: float, low: float, high: float) -> int:
    part = (value - low) / (high - low)
    return min(len(SCALE) - 1, max(0, int(part * len(SCALE))))


def _scale_bar(left: float, top: float, low: float, high: float, *, size: int) -> str:
    """The colours from `low` to `high`, with letters of `size`."""
    step = 600 / len(SCALE)
    boxes = "".join(
        f'<rect x="{left + number * step:.1f}" y="{top}" width="{step + 0.5:.1f}" height="16" '
        f'fill="{colour}"/>'
        for number, colour in enumerate(SCALE)
    )
    under = top + 20 + size
    ends = _text(left, under, f"{low:g}", size, "start")
    return boxes + ends + _text(left + 600, under, f"{high:g}", size, "end")


def _text(x: float, y: float, words: str, size: int, anchor: str) -> str:
    return (
        f'<text x="{x:.0f}" y="{y:.0f}" font-size="{size}" text-anchor="{anchor}" '
        f'fill="{_SOFT}">{escape(words)}</text>'
    )


def _svg(title: str, box: str, width: int, height: int, inside: str) -> str:
    return (
        f'<svg viewBox="{box}" width="{width}" height="{height}" role="img" '
        f'aria-label="{escape(title)}">{inside}</svg>'
    )
