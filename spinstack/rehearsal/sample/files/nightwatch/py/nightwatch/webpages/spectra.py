"""A page with the spectra of an exposure, summed up from the camera images."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
from bokeh.layouts import gridplot
from bokeh.plotting import figure
from desimodel import ARM_COLOURS, TARGETS

from nightwatch.fitsfile import read_image
from nightwatch.webpages.document import plot_document

FIBRES_PER_SPECTROGRAPH = 500
_HALF_WIDTH = 3  # pixels to each side of a trace that are summed up

Spectrum = dict[str, Any]


def get_spectra_html(
    data: str,
    night: str | int,
    expid: str | int,
    view: str,
    frame: str,
    downsample: str | int = "4x",
    select_string: str | None = None,
) -> str:
    """A page with the spectra of exposure `expid` below the directory `data`.

    `view`: spectrograph or objtype, a plot for each; or input, for the fibres that
    `select_string` names, such as `1,3-5,500`. `frame` (qframe or qcframe: with the sky,
    or without). `downsample`: values averaged to one, such as 4x.
    Raises FileNotFoundError if the exposure has no images, ValueError for a wrong word.
    """
    if view not in ("spectrograph", "objtype", "input") or frame not in ("qframe", "qcframe"):
        raise ValueError(f"no view {view!r} of a frame {frame!r}")
    number = int(expid)
    factor = max(1, int(str(downsample).rstrip("x")))
    spectra = _read(Path(data) / f"{number:08d}", factor, without_sky=frame == "qcframe")
    if view == "input":
        spectra = _selected(spectra, select_string or "0-2")
        if not spectra:
            raise ValueError(f"the sample has no spectrum of a fibre in {select_string!r}")
    name = f"Spectra of exposure {number}"
    # The page is at /<night>/<expid>/spectra/<view>/<frame>/<downsample>/, a level deeper
    # with a selection; at the root of a site a level too many does no harm.
    root = "../" * (7 if view == "input" else 6)
    before = _before(name, f"{root}{night}/", number, view, frame, factor)
    plot = gridplot(_plots(spectra, view), ncols=1, merge_tools=False)
    return plot_document(name, before, plot, root=root)


def _read(directory: Path, factor: int, without_sky: bool) -> list[Spectrum]:
    images = sorted(directory.glob("preproc-*.fits"))
    if not images:
        raise FileNotFoundError(f"no camera images in {directory}")
    return [spectrum for image in images for spectrum in _extracted(image, factor, without_sky)]


def _extracted(image: Path, factor: int, without_sky: bool) -> list[Spectrum]:
    pixels, header = read_image(str(image))
    camera, targets = str(header["CAMERA"]).strip(), str(header["TARGETS"]).strip()
    waves = np.linspace(float(header["WAVEMIN"]), float(header["WAVEMAX"]), len(pixels))
    centers = [header["TRACE0"] + at * header["TRACESTP"] for at in range(len(targets))]
    fluxes = np.array([_sum(pixels, center) for center in centers])
    if without_sky:
        fluxes = fluxes - np.median(fluxes[[kind == "S" for kind in targets]], axis=0)
    return [
        {
            "arm": camera[0],
            "spectrograph": int(camera[1]),
            "fibre": FIBRES_PER_SPECTROGRAPH * int(camera[1]) + at,
            "target": TARGETS[targets[at]],
            "wave": _averaged(waves, factor),
            "flux": _averaged(fluxes[at], factor),
        }
        for at in range(len(targets))
    ]


def _sum(pixels: Any, center: float) -> Any:
    left = round(center) - _HALF_WIDTH
    return pixels[:, left : left + 2 * _HALF_WIDTH + 1].sum(axis=1)


def _averaged(values: Any, factor: int) -> Any:
    length = len(values) // factor
    return values[: length * factor].reshape(length, factor).mean(axis=1)


def _selected(spectra: list[Spectrum], select_string: str) -> list[Spectrum]:
    wanted: set[int] = set()
    for part in select_string.split(","):
        found = re.fullmatch(r"\s*(\d{1,4})(?:\s*-\s*(\d{1,4}))?\s*", part)
        if not found:
            raise ValueError(f"{part!r} is no number of a fibre and no range such as 3-5")
        wanted.update(range(int(found[1]), int(found[2] or found[1]) + 1))
    return [spectrum for spectrum in spectra if spectrum["fibre"] in wanted]


def _plots(spectra: list[Spectrum], view: str) -> list[Any]:
    key = {"spectrograph": "spectrograph", "objtype": "target", "input": "fibre"}[view]
    groups: dict[Any, list[Spectrum]] = {}
    for spectrum in spectra:
        groups.setdefault(spectrum[key], []).append(spectrum)
    return [_plot(f"{key} {value}", groups[value]) for value in sorted(groups)]


def _plot(title: str, spectra: list[Spectrum]) -> Any:
    plot = figure(
        title=title.removeprefix("target "),
        width=1080,
        height=260,
        x_axis_label="wavelength (Å)",
        y_axis_label="electrons",
        tools="pan,box_zoom,wheel_zoom,reset,save",
    )
    for arm in sorted({spectrum["arm"] for spectrum in spectra}):
        lines = [spectrum for spectrum in spectra if spectrum["arm"] == arm]
        plot.multi_line(
            xs=[list(line["wave"]) for line in lines],
            ys=[list(line["flux"]) for line in lines],
            line_color=ARM_COLOURS[arm],
            line_alpha=0.55,
        )
    return plot


def _before(name: str, night: str, expid: int, view: str, frame: str, factor: int) -> str:
    """The heading, and the ways to the other views and frames; `night` as a link."""
    here = f"{night}{expid:08d}/"
    choices = " · ".join(
        f'<a href="{here}spectra/{other}/{frame}/{factor}x/">{words}</a>'
        if other != view
        else f'<b aria-current="page">{words}</b>'
        for other, words in (("spectrograph", "by spectrograph"), ("objtype", "by target"))
    )
    other, words = ("qcframe", "subtract") if frame == "qframe" else ("qframe", "keep")
    shown = "spectrograph" if view == "input" else view
    sky = f'<a href="{here}spectra/{shown}/{other}/{factor}x/">{words} the sky</a>'
    return (
        f'<p class="crumbs"><a href="{night}../nights.html">Calendar</a> / '
        f'<a href="{night}exposures.html">{night.strip("./")}</a> / '
        f'<a href="{here}qa-summary-{expid:08d}.html">{expid}</a></p>'
        f'<h1>{name}</h1><p class="lead">{choices} · {sky}</p>'
    )
