"""The made-up measurements of an exposure, and what they are judged to be."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from enum import IntEnum
from functools import cache, cached_property

from spinstack.sample.survey import CAMERAS, Exposure

AMPLIFIERS = "ABCD"
PETALS = 10
_FIBRES_PER_PETAL = 44

# An amplifier that is noisy for ten days and then mended: something for the calendar,
# the table and the time series to show.
_NOISY_AMPLIFIER = ("r3", "C")
_NOISY_NIGHTS = ("20251018", "20251026")

_NOISE_LIMITS = (4.2, 5.0)  # electrons: above the first a warning, above the second an error
_SHIFT_LIMIT = 0.75  # pixels
_THROUGHPUT_LIMITS = (0.8, 0.5)  # below the first a warning, below the second an error


class Status(IntEnum):
    """How an exposure, or a part of it, came out; the larger the worse."""

    OK = 0
    WARNING = 1
    ERROR = 2


@dataclass(frozen=True)
class Amplifier:
    """Read noise and bias in electrons, cosmic rays per minute."""

    read_noise: float
    bias: float
    cosmics: float


@dataclass(frozen=True)
class Camera:
    """Shift of the traces against the calibration and width of the lines, in pixels."""

    dx: float
    dy: float
    xsig: float
    ysig: float


@dataclass(frozen=True)
class Fibre:
    """Place on the focal plane (mm), how far off target (µm), throughput (1 = expected)."""

    x: float
    y: float
    offset: float
    throughput: float


@dataclass(frozen=True)
class Quality:
    """All that was measured of one exposure."""

    amplifiers: dict[tuple[str, str], Amplifier]
    cameras: dict[str, Camera]
    fibres: tuple[Fibre, ...]

    @cached_property
    def throughput(self) -> float:
        """Mean over the fibres."""
        return sum(fibre.throughput for fibre in self.fibres) / len(self.fibres)

    def spectrograph(self, number: int) -> Status:
        """The worst of the spectrograph's three cameras."""
        return max(self.camera_statuses[f"{arm}{number}"] for arm in "brz")

    @cached_property
    def camera_statuses(self) -> dict[str, Status]:
        """Judged by the noise of the amplifiers and the shift of the traces."""
        return {name: self._judge(name) for name in CAMERAS}

    def _judge(self, name: str) -> Status:
        noise = max(self.amplifiers[name, letter].read_noise for letter in AMPLIFIERS)
        warning, error = _NOISE_LIMITS
        if noise > error:
            return Status.ERROR
        shift = math.hypot(self.cameras[name].dx, self.cameras[name].dy)
        return Status.WARNING if noise > warning or shift > _SHIFT_LIMIT else Status.OK

    @property
    def light(self) -> Status:
        """Judged by how much light reached the fibres."""
        warning, error = _THROUGHPUT_LIMITS
        if self.throughput < error:
            return Status.ERROR
        return Status.WARNING if self.throughput < warning else Status.OK

    @cached_property
    def status(self) -> Status:
        return max(self.light, *self.camera_statuses.values())


@cache
def measure(exposure: Exposure) -> Quality:
    """The same measurements each time for the same exposure."""
    chance = random.Random(f"quality {exposure.expid}")
    drift = chance.gauss(0, 0.18), chance.gauss(0, 0.18)
    return Quality(
        amplifiers={
            (camera, letter): _amplifier(exposure, camera, letter, chance)
            for camera in CAMERAS
            for letter in AMPLIFIERS
        },
        cameras={camera: _camera(camera, drift, chance) for camera in CAMERAS},
        fibres=tuple(_fibre(exposure, place, chance) for place in _fibre_places()),
    )


def _amplifier(exposure: Exposure, camera: str, letter: str, chance: random.Random) -> Amplifier:
    usual = random.Random(f"amplifier {camera}{letter}").uniform(2.5, 3.6)
    noise = usual + chance.gauss(0, 0.06)
    first, last = _NOISY_NIGHTS
    if (camera, letter) == _NOISY_AMPLIFIER and first <= exposure.night <= last:
        noise += chance.uniform(1.2, 2.2)
    bias = chance.gauss(0, 0.08)
    return Amplifier(round(noise, 3), round(bias, 3), round(chance.uniform(18, 40), 2))


def _camera(name: str, drift: tuple[float, float], chance: random.Random) -> Camera:
    width = {"b": 1.18, "r": 1.06, "z": 1.02}[name[0]]
    return Camera(
        dx=round(drift[0] + chance.gauss(0, 0.09), 3),
        dy=round(drift[1] + chance.gauss(0, 0.09), 3),
        xsig=round(width + chance.gauss(0, 0.015), 3),
        ysig=round(width + chance.gauss(0, 0.02), 3),
    )


def _fibre(exposure: Exposure, place: tuple[float, float], chance: random.Random) -> Fibre:
    x, y = place
    offset = abs(chance.gauss(0, 4)) + abs(chance.gauss(0, 4))
    if chance.random() < 0.015:  # a positioner that did not move
        offset += chance.uniform(30, 90)
    # Bad seeing and the edge of the field cost light; so does a fibre off its target.
    lost = 0.00018 * math.hypot(x, y) + 0.12 * max(0.0, exposure.seeing - 1.1)
    lost += min(0.7, (offset / 90) ** 2)
    light = exposure.transparency * (1.06 - lost) * (1 + chance.gauss(0, 0.035))
    return Fibre(x, y, round(offset, 1), round(max(0.02, light), 3))


@cache
def _fibre_places() -> tuple[tuple[float, float], ...]:
    """Evenly over ten petals of a focal plane of 410 mm radius."""
    places = []
    for petal in range(PETALS):
        for number in range(_FIBRES_PER_PETAL):
            radius = 8 + 397 * math.sqrt((number + 0.5) / _FIBRES_PER_PETAL)
            within = 0.06 + 0.88 * (number * 0.6180339887 % 1)  # golden section: no rows
            angle = math.radians(36 * (petal + within))
            places.append((round(radius * math.cos(angle), 1), round(radius * math.sin(angle), 1)))
    return tuple(places)
