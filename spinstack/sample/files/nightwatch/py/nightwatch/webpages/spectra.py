"""A page with the spectra of an exposure, summed up from the camera images."""

from __future__ import annotations

import re
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
from bokeh.layouts import gridplot
from bokeh.plotting import figure
from desimodel import ARM_COLOURS, TARGETS

from nightwatch.fitsfile import read_image
from nightwatch.webpages.document import plot_document

FIBRES_PER_SPECTROGRAPH = 500
FIRST_SELECTION = "0-3"
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
    Where there is nothing to show, the answer is a sentence that says so, and no page.
    Raises ValueError for a wrong word.
    """
    if view not in ("spectrograph", "objtype", "input") or frame not in ("qframe", "qcframe"):
        raise ValueError(f"no view {view!r} of a frame {frame!r}")
    number = int(expid)
    factor = max(1, int(str(downsample).rstrip("x")))
    spectra = _read(Path(data) / f"{number:08d}", factor, without_sky=frame == "qcframe")
    if view == "input":
        select_string = select_string or FIRST_SELECTION
        spectra = _selected(spectra, select_string)
    if not spectra:
        return f"the sample has no such spectra of exposure {number} of night {night}"
    # The page is at /<night>/<expid>/spectra/<view>/<frame>/<downsample>/, a level deeper
    # with a selection; at the root of a site a level too many does no harm.
    root = "../" * (7 if view == "input" else 6)
    before = _before(number, f"{root}{int(night)}/", view, frame, factor)
    if view == "input":
        before += _form(f"{root}{int(night)}/{number:08d}/", select_string or "", frame, factor)
    plot = gridplot(_plots(spectra, view), ncols=1, merge_tools=False)
    return plot_document(f"Spectra of exposure {number}", before, plot, root=root)


def _read(directory: Path, factor: int, without_sky: bool) -> list[Spectrum]:
    images = sorted(directory.glob("preproc-*.fits"))
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


def _before(expid: int, night: str, view: str, frame: str, factor: int) -> str:
    """The heading, and the ways to the other views and frames; `night` is a link."""
    here = f"{night}{expid:08d}/"
    views = {
        "spectrograph": ("spectrograph", "by spectrograph"),
        "objtype": ("objtype", "by target"),
        "input": (f"input/{FIRST_SELECTION}", "by fibre"),
    }
    choices = " · ".join(
        f'<b aria-current="page">{words}</b>'
        if name == view
        else f'<a href="{here}spectra/{way}/{frame}/{factor}x/">{words}</a>'
        for name, (way, words) in views.items()
    )
    other, words = ("qcframe", "subtract") if frame == "qframe" else ("qframe", "keep")
    sky = f'<a href="{here}spectra/{views[view][0]}/{other}/{factor}x/">{words} the sky</a>'
    return (
        f'<p class="crumbs"><a href="{night}../nights.html">Calendar</a> / '
        f'<a href="{night}exposures.html">{night.strip("./")}</a> / '
        f'<a href="{here}qa-summary-{expid:08d}.html">{expid}</a></p>'
        f'<h1>Spectra of exposure {expid}</h1><p class="lead">{choices} · {sky}</p>'
    )


def _form(here: str, select_string: str, frame: str, factor: int) -> str:
    """A field for other fibres; a script, since an address can't be made by a form alone."""
    return (
        '<form class="card" id="fibres"><p class="fields"><label>Fibres, such as 1,3-5,500<br>'
        f'<input name="fibres" value="{escape(select_string)}" required '
        'pattern="[0-9]+(-[0-9]+)?(,[0-9]+(-[0-9]+)?)*"></label><button>Draw</button></p></form>'
        '<script>document.getElementById("fibres").addEventListener("submit",function(event){'
        f'event.preventDefault();location.href="{here}spectra/input/"+this.elements.fibres.value'
        f'+"/{frame}/{factor}x/";}});</script>'
    )
