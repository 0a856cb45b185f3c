"""A page with the image of a camera."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from bokeh.models import ColorBar, LinearColorMapper
from bokeh.plotting import figure
from desiutil.log import get_logger

from nightwatch.fitsfile import read_image
from nightwatch.webpages.document import plot_document


def write_image_html(
    input: str, output: str, downsample: int = 4, night: str | int | None = None
) -> None:
    """Draws the FITS image `input`, `downsample` pixels to one, as the page `output`.

    Raises OSError if the image can't be read or the page can't be written.
    """
    pixels, header = read_image(str(input))
    factor = max(1, int(downsample))
    get_logger().info("drawing %s at 1:%d", input, factor)
    name = f"Camera {header['CAMERA']}, exposure {header['EXPID']}"
    summary = f"qa-summary-{int(header['EXPID']):08d}.html"
    before = (
        f'<p class="crumbs"><a href="../../nights.html">Calendar</a> / '
        f'<a href="../exposures.html">{night or header["NIGHT"]}</a> / '
        f'<a href="{summary}">{header["EXPID"]}</a></p>'
        f'<h1>{name}</h1><p class="lead">Preprocessed image in electrons, '
        f"{factor} × {factor} pixels averaged to one. Others: {_others(header)}.</p>"
    )
    plot = _plot(_averaged(pixels, factor), factor)
    Path(output).write_text(plot_document(name, before, plot, root="../../"), encoding="utf-8")


def _others(header: dict[str, Any]) -> str:
    """Links to the same image with other numbers of pixels averaged."""
    name = f"preproc-{str(header['CAMERA']).strip()}-{int(header['EXPID']):08d}"
    return ", ".join(f'<a href="{name}-{factor}x.html">{factor}x</a>' for factor in (1, 2, 4))


def _averaged(pixels: Any, factor: int) -> Any:
    rows, columns = (size // factor for size in pixels.shape)
    cut = pixels[: rows * factor, : columns * factor]
    return cut.reshape(rows, factor, columns, factor).mean(axis=(1, 3)).astype("float32")


def _plot(image: Any, factor: int) -> Any:
    low, high = (float(level) for level in np.percentile(image, (2, 99)))
    colours = LinearColorMapper("Viridis256", low=low, high=high)
    rows, columns = image.shape
    plot = figure(
        width=760,
        height=700,
        x_range=(0, columns * factor),
        y_range=(0, rows * factor),
        x_axis_label="x: fibres (pixels)",
        y_axis_label="y: wavelength (pixels)",
        tools="pan,box_zoom,wheel_zoom,reset,save,hover",
        tooltips=[("x, y", "$x{0}, $y{0}"), ("electrons", "@image{0.0}")],
    )
    plot.image([image], x=0, y=0, dw=columns * factor, dh=rows * factor, color_mapper=colours)
    plot.add_layout(ColorBar(color_mapper=colours, width=12), "right")
    return plot
