"""The sample's FITS files: camera images, and the measurements behind the time series."""

from __future__ import annotations

import math
import random
from array import array
from functools import cache

from spinstack.sample import fits
from spinstack.sample.quality import Amplifier, Camera, Quality
from spinstack.sample.survey import Exposure, Night, nights

# Two spectrographs of the two newest nights: enough to try each page made on demand.
FRAME_NIGHTS = 2
FRAME_CAMERAS = tuple(f"{arm}{spectrograph}" for arm in "brz" for spectrograph in range(2))

WIDTH = HEIGHT = 200
_TRACES = 18
_FIRST_TRACE, _TRACE_STEP = 10.0, 10.6  # pixels
_WAVELENGTHS = {"b": (3600.0, 5800.0), "r": (5760.0, 7620.0), "z": (7520.0, 9824.0)}  # ångström
# What each fibre looks at: sky, standard star, galaxy, quasar.
_TARGETS = "GGSGQGGTGGSGGQGSGT"
_SKY_LINES = {
    "b": (0.89,),
    "r": (0.02, 0.07, 0.29, 0.33, 0.62),
    "z": tuple(i / 13 for i in range(13)),
}
_POOL = 1 << 16


def frame_nights() -> tuple[Night, ...]:
    """The nights that camera images are there for."""
    return nights()[-FRAME_NIGHTS:]


def has_frames(exposure: Exposure) -> bool:
    return exposure.night in {night.name for night in frame_nights()}


def camera_image(exposure: Exposure, camera: str) -> bytes:
    """A made-up preprocessed image: wavelength upwards, fibres side by side.

    The header tells where the traces are (TRACE0, TRACESTP, NTRACE), what they look at
    (TARGETS, a letter each) and the wavelengths of the first and last row.
    """
    chance = random.Random(f"frame {exposure.expid} {camera}")
    pixels = _noise(chance)
    rows = _sky_rows(camera[0])
    exposed = exposure.seconds / 1000
    for number, target in enumerate(_TARGETS):
        spectrum = _spectrum(target, rows, exposed, exposure.transparency, chance)
        _draw_trace(pixels, number, spectrum)
    _cosmic_rays(pixels, chance)
    return fits.image(_camera_keys(exposure, camera), pixels, WIDTH)


def measurements(exposure: Exposure, quality: Quality) -> bytes:
    """Tables PER_AMP, PER_CAMERA and PER_EXP of one exposure."""
    amplifier = ("READNOISE", "electron"), ("BIAS", "electron"), ("COSMICS_RATE", "1/min")
    camera = ("DX", "pixel"), ("DY", "pixel"), ("XSIG", "pixel"), ("YSIG", "pixel")
    whole = ("SEEING", "arcsec"), ("AIRMASS", ""), ("THROUGHPUT", ""), ("EXPTIME", "s")
    keys: dict[str, fits.Value] = _exposure_keys(exposure)
    return b"".join(
        (
            fits.primary(keys),
            fits.table(
                "PER_AMP",
                [fits.Column("CAM", 2), fits.Column("AMP", 1), *_floats(amplifier)],
                [(name, letter, *_amplifier_row(values))
                 for (name, letter), values in quality.amplifiers.items()],
            ),
            fits.table(
                "PER_CAMERA",
                [fits.Column("CAM", 2), *_floats(camera)],
                [(name, *_camera_row(values)) for name, values in quality.cameras.items()],
            ),
            fits.table(
                "PER_EXP",
                _floats(whole),
                [(exposure.seeing, exposure.airmass, quality.throughput, exposure.seconds)],
            ),
        )
    )  # fmt: skip


def timeseries_choices() -> dict[str, list[str]]:
    """What the form for time series offers: the tables above and their columns."""
    return {
        "PER_AMP": ["READNOISE", "BIAS", "COSMICS_RATE"],
        "PER_CAMERA": ["DX", "DY", "XSIG", "YSIG"],
        "PER_EXP": ["SEEING", "AIRMASS", "THROUGHPUT", "EXPTIME"],
    }


def _floats(columns: tuple[tuple[str, str], ...]) -> list[fits.Column]:
    return [fits.Column(name, unit=unit) for name, unit in columns]


def _amplifier_row(values: Amplifier) -> tuple[float, float, float]:
    return values.read_noise, values.bias, values.cosmics


def _camera_row(values: Camera) -> tuple[float, float, float, float]:
    return values.dx, values.dy, values.xsig, values.ysig


def _exposure_keys(exposure: Exposure) -> dict[str, fits.Value]:
    return {
        "NIGHT": int(exposure.night),
        "EXPID": exposure.expid,
        "DATE-OBS": exposure.start.strftime("%Y-%m-%dT%H:%M:%S"),
        "PROGRAM": exposure.program,
        "TILEID": exposure.tile,
        "EXPTIME": exposure.seconds,
        "ORIGIN": "spinstack rehearsal: sample data, not observed",
    }


def _camera_keys(exposure: Exposure, camera: str) -> dict[str, fits.Value]:
    first, last = _WAVELENGTHS[camera[0]]
    return {
        **_exposure_keys(exposure),
        "CAMERA": camera,
        "BUNIT": "electron",
        "NTRACE": _TRACES,
        "TRACE0": _FIRST_TRACE,
        "TRACESTP": _TRACE_STEP,
        "TARGETS": _TARGETS,
        "WAVEMIN": first,
        "WAVEMAX": last,
    }


@cache
def _noise_pool() -> array[float]:
    chance = random.Random("noise")
    return array("f", (chance.gauss(0, 3) for _ in range(_POOL)))


def _noise(chance: random.Random) -> array[float]:
    """Read noise of the whole image, cut from a pool: drawing each pixel takes too long."""
    at = chance.randrange(_POOL - WIDTH * HEIGHT)
    return _noise_pool()[at : at + WIDTH * HEIGHT]


@cache
def _sky_rows(arm: str) -> tuple[float, ...]:
    """Brightness of the night sky in each row: a continuum with emission lines."""

    def brightness(row: int) -> float:
        lines = (math.exp(-(((row - at * HEIGHT) / 1.3) ** 2)) for at in _SKY_LINES[arm])
        return 14 + 240 * sum(lines)

    return tuple(brightness(row) for row in range(HEIGHT))


def _spectrum(
    target: str, sky: tuple[float, ...], exposed: float, clear: float, chance: random.Random
) -> list[float]:
    """Electrons in each row of one fibre."""
    level = {"S": 0.0, "T": 260.0, "G": 42.0, "Q": 60.0}[target] * chance.uniform(0.5, 1.5) * clear
    slope = chance.uniform(-0.4, 0.4)
    line_at, line = chance.uniform(0.1, 0.9) * HEIGHT, level * (4 if target in "GQ" else 0)
    line_width = 2.0 if target == "G" else 7.0
    return [
        exposed
        * (
            sky[row]
            + level * (1 + slope * (row / HEIGHT - 0.5))
            + line * math.exp(-(((row - line_at) / line_width) ** 2))
        )
        for row in range(HEIGHT)
    ]


def _draw_trace(pixels: array[float], number: int, spectrum: list[float]) -> None:
    """Adds the light of fibre `number`, spread over the width of its trace."""
    for start, weights in _trace(number):
        light = spectrum[start // WIDTH]
        for at, weight in enumerate(weights, start):
            pixels[at] += light * weight


@cache
def _trace(number: int) -> tuple[tuple[int, tuple[float, ...]], ...]:
    """For each row: the index of a trace's first pixel, and how light falls on six.

    The traces bend a little, as those of a real camera do.
    """
    center = _FIRST_TRACE + number * _TRACE_STEP
    rows = []
    for row in range(HEIGHT):
        at = center + 2.2 * (center / WIDTH - 0.5) * (2 * row / HEIGHT - 1) ** 2
        left = int(at) - 2
        weights = tuple(_profile(column - at) for column in range(left, left + 6))
        rows.append((row * WIDTH + left, weights))
    return tuple(rows)


def _profile(distance: float) -> float:
    """Cross-section of a trace, 1.2 pixels wide, summing to about one."""
    return 0.3325 * math.exp(-0.3472 * distance * distance)


def _cosmic_rays(pixels: array[float], chance: random.Random) -> None:
    for _ in range(14):
        x, y = chance.uniform(6, WIDTH - 7), chance.uniform(6, HEIGHT - 7)
        direction = chance.uniform(0, 2 * math.pi)
        for step in range(chance.randint(1, 6)):
            column, row = (
                round(x + step * math.cos(direction)),
                round(y + step * math.sin(direction)),
            )
            pixels[row * WIDTH + column] += chance.uniform(150, 900)
