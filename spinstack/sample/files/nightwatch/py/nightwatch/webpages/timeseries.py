"""A page with one quantity over many nights."""

from __future__ import annotations

from datetime import datetime
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
from bokeh.models import ColumnDataSource, HoverTool
from bokeh.plotting import figure
from desimodel import ARM_COLOURS, ARMS

from nightwatch.fitsfile import read_table
from nightwatch.webpages.document import document, plot_document

_ROOT = "../../../../../"  # the page is at /timeseries/<start>/<end>/<hdu>/<attribute>
_ALL = "all"

Dropdown = dict[str, list[str]]


def generate_timeseries_html(
    data: str, start: str | int, end: str | int, hdu: str, attribute: str, dropdown: Dropdown
) -> str:
    """A page with column `attribute` of table `hdu` from night `start` to `end`, inclusive.

    `data` is the directory with the nights; `dropdown` has the columns of each table.
    Raises ValueError for a table or column that is not in it.
    """
    if attribute not in dropdown.get(hdu, ()):
        raise ValueError(f"no column {attribute!r} in a table {hdu!r}")
    name = f"{attribute} of {hdu}"
    before = (
        f'<p class="crumbs"><a href="{_ROOT}timeseries/">Time series</a></p><h1>{escape(name)}</h1>'
        f'<p class="lead">Nights {int(start)} to {int(end)}. Points are medians of an exposure; '
        f"bars reach from the lowest to the highest.</p>{_others(start, end, hdu, dropdown)}"
    )
    series = _read(Path(data), int(start), int(end), hdu, attribute)
    if not series:
        return document(name, before + "<p>No exposures in these nights.</p>", root=_ROOT)
    return plot_document(name, before, _plot(series, attribute), root=_ROOT)


def _others(start: str | int, end: str | int, hdu: str, dropdown: Dropdown) -> str:
    links = (
        f'<a href="{_ROOT}timeseries/{int(start)}/{int(end)}/{hdu}/{column}">{column}</a>'
        for column in dropdown[hdu]
    )
    return f'<p class="legend">{" ".join(links)}</p>'


def _read(data: Path, start: int, end: int, hdu: str, attribute: str) -> dict[str, list[Any]]:
    """For each arm (or `all`): time, number of exposure, lowest, median, highest."""
    series: dict[str, list[Any]] = {}
    nights = [night for night in sorted(data.iterdir()) if night.name.isdigit()]
    for night in nights:
        if not start <= int(night.name) <= end:
            continue
        for table in sorted(night.glob("*/qa-*.fits")):
            columns, header = read_table(str(table), hdu)
            time = datetime.fromisoformat(str(header["DATE-OBS"]).strip())
            for arm, values in _by_arm(columns, attribute):
                spread = (float(np.min(values)), float(np.median(values)), float(np.max(values)))
                series.setdefault(arm, []).append((time, int(header["EXPID"]), *spread))
    return series


def _by_arm(columns: dict[str, Any], attribute: str) -> list[tuple[str, Any]]:
    values = np.asarray(columns[attribute], dtype=float)
    if "CAM" not in columns:
        return [(_ALL, values)]
    # One reader returns text, the other bytes.
    arms = np.array([camera[0] for camera in np.asarray(columns["CAM"]).astype(str)])
    return [(arm, values[arms == arm]) for arm in ARMS]


def _plot(series: dict[str, list[Any]], attribute: str) -> Any:
    plot = figure(
        width=1080,
        height=440,
        x_axis_type="datetime",
        x_axis_label="UTC",
        y_axis_label=attribute,
        tools="pan,box_zoom,wheel_zoom,reset,save",
    )
    for arm, points in series.items():
        names = ("time", "expid", "low", "median", "high")
        source = ColumnDataSource(dict(zip(names, zip(*points, strict=True), strict=True)))
        colour = ARM_COLOURS.get(arm, "#2a6fbb")
        label = {"color": colour, "legend_label": arm}
        plot.segment("time", "low", "time", "high", source=source, line_alpha=0.25, **label)
        dots = plot.scatter("time", "median", source=source, size=6, **label)
        tip = [("exposure", "@expid"), ("median", "@median{0.000}"), ("highest", "@high{0.000}")]
        plot.add_tools(HoverTool(renderers=[dots], tooltips=tip))
    plot.legend.click_policy = "hide"
    return plot
