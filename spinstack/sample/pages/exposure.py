"""`<night>/<8 digits>/qa-summary-<8 digits>.html`: the quality of one exposure."""

from __future__ import annotations

from spinstack.sample.frames import FRAME_CAMERAS, has_frames
from spinstack.sample.pages import plots
from spinstack.sample.pages.frame import css_class, document, pill, tiles, word
from spinstack.sample.quality import Quality, measure
from spinstack.sample.survey import Exposure, Night

# A page is asked for as /<night>/<expid>/ too, with the number as short as one types it:
# links go over the directory with the eight digits, so that both lead to one place.
_DOWNSAMPLE = 4


def exposure_page(night: Night, exposure: Exposure) -> str:
    """The summary of one exposure: plots, cameras, and ways to what is made on demand."""
    quality = measure(exposure)
    content = (
        f'<p class="crumbs"><a href="../../nights.html">Calendar</a> / '
        f'<a href="../exposures.html">{night.name}</a></p>'
        f"<h1>Exposure {exposure.expid} {pill(quality.status)}</h1>"
        f'<p class="lead">{_neighbours(night, exposure)}</p>'
        f"{_summary(exposure, quality)}{_focal_planes(quality)}{_amplifiers(quality)}"
        f'<div class="two">{_cameras(exposure, quality)}{_guide(exposure)}</div>'
    )
    return document(f"Exposure {exposure.expid}", content, root="../../")


def _neighbours(night: Night, exposure: Exposure) -> str:
    at = night.exposures.index(exposure)
    links = []
    if at > 0:
        other = night.exposures[at - 1]
        links.append(f'<a href="{_page(other)}" rel="prev">← {other.expid}</a>')
    if at + 1 < len(night.exposures):
        other = night.exposures[at + 1]
        links.append(f'<a href="{_page(other)}" rel="next">{other.expid} →</a>')
    return " &nbsp; ".join(links)


def _page(exposure: Exposure) -> str:
    return f"../{exposure.name}/qa-summary-{exposure.name}.html"


def _summary(exposure: Exposure, quality: Quality) -> str:
    return tiles(
        [
            (exposure.program.lower(), f"program, tile {exposure.tile}"),
            (f"{exposure.start:%H:%M}", f"UTC on {exposure.start:%-d %b %Y}"),
            (f"{exposure.seconds:.0f} s", "exposed"),
            (f"{exposure.seeing:.2f}″", "seeing"),
            (f"{exposure.airmass:.2f}", "airmass"),
            (f"{quality.throughput:.2f}", "mean throughput"),
        ]
    )


def _focal_planes(quality: Quality) -> str:
    off = sum(fibre.offset > 30 for fibre in quality.fibres)
    offsets = plots.focal_plane(
        "Focal plane, coloured by the offset of each fibre in micrometres",
        quality.fibres, lambda fibre: fibre.offset, 0, 30,
    )  # fmt: skip
    light = plots.focal_plane(
        "Focal plane, coloured by the throughput of each fibre",
        quality.fibres, lambda fibre: fibre.throughput, 0.2, 1.1,
    )  # fmt: skip
    return (
        f'<div class="two"><section class="card"><h2>Fibre positioning</h2><figure>{offsets}'
        f"<figcaption>Offset from target in µm; {off} of {len(quality.fibres)} fibres "
        "are more than 30 µm off.</figcaption></figure></section>"
        f'<section class="card"><h2>Throughput {pill(quality.light)}</h2><figure>{light}'
        "<figcaption>Light that arrived, 1 is what was expected.</figcaption></figure></section>"
        "</div>"
    )


def _amplifiers(quality: Quality) -> str:
    worst = max(quality.amplifiers, key=lambda key: quality.amplifiers[key].read_noise)
    noise = quality.amplifiers[worst].read_noise
    drawing = plots.amplifier_map("Read noise of each amplifier in electrons", quality, 2.4, 5.1)
    return (
        f'<section class="card"><h2>Read noise of the amplifiers</h2><figure>{drawing}'
        f"<figcaption>In electrons. Columns: spectrographs; rows: cameras b, r, z with four "
        f"amplifiers each. Highest: {worst[0]} {worst[1]}, {noise:.2f}.</figcaption></figure>"
        "</section>"
    )


def _cameras(exposure: Exposure, quality: Quality) -> str:
    heads = "".join(f'<th scope="col">{arm}</th>' for arm in "brz")
    rows = "".join(
        f'<tr><th scope="row">{number}</th>'
        + "".join(f"<td>{_camera(exposure, quality, f'{arm}{number}')}</td>" for arm in "brz")
        + "</tr>"
        for number in range(10)
    )
    return (
        '<section class="card"><h2>Cameras</h2><table class="grid">'
        f'<caption>{_note(exposure)}</caption><thead><tr><th scope="col">Spectrograph</th>'
        f"{heads}</tr></thead><tbody>{rows}</tbody></table></section>"
    )


def _note(exposure: Exposure) -> str:
    if has_frames(exposure):
        return "A camera that is a link leads to its image, made when first asked for."
    return "No images: the sample has those of its newest nights only."


def _camera(exposure: Exposure, quality: Quality, camera: str) -> str:
    status = quality.camera_statuses[camera]
    label = f"{camera}: {word(status)}"
    if not (has_frames(exposure) and camera in FRAME_CAMERAS):
        return f'<span class="{css_class(status)}" title="{label}">{camera}</span>'
    link = f"../{exposure.name}/preproc-{camera}-{exposure.name}-{_DOWNSAMPLE}x.html"
    return f'<a class="{css_class(status)}" title="{label}" href="{link}">{camera}</a>'


def _guide(exposure: Exposure) -> str:
    picture = (
        '<section class="card"><h2>Guide camera</h2><figure>'
        f'<img src="../{exposure.name}/guide-{exposure.name}.png" width="480" height="300" '
        'alt="Stars in the field of the guide camera"><figcaption>Stars as wide as the seeing.'
        "</figcaption></figure>"
    )
    if not has_frames(exposure):
        return picture + "</section>"
    spectra = f"../{exposure.name}/spectra/"
    return (
        f'{picture}<h2 style="margin-top:1.4rem">Spectra</h2><p>'
        f'<a class="button" href="{spectra}spectrograph/qframe/{_DOWNSAMPLE}x/">'
        f'By spectrograph</a> <a class="button" href="{spectra}objtype/qframe/{_DOWNSAMPLE}x/">'
        "By kind of target</a></p></section>"
    )
