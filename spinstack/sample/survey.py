"""The made-up survey behind the sample pages: which nights, which exposures.

Everything follows from fixed dates and seeds, so that two people who rehearse see the
same site. None of it was observed.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from functools import cache

CAMERAS = tuple(f"{arm}{spectrograph}" for arm in "brz" for spectrograph in range(10))

# Days of the two months, with the gaps that weather and a full moon leave.
_DAYS = {
    "202510": (3, 4, 8, 9, 12, 13, 18, 19, 20, 21, 25, 26),
    "202511": (1, 3, 4, 8, 9, 10, 14, 18, 19, 20, 25, 26),
}
MONTHS = tuple(_DAYS)
CLOUDY_NIGHTS = frozenset({"20251009", "20251026", "20251119"})

_FIRST_EXPID = 310_011
_EVENING = timedelta(hours=26)  # 02:00 UTC of the next day is 19:00 at Kitt Peak
_PROGRAMS = (("DARK", 1000.0), ("DARK", 1200.0), ("BRIGHT", 420.0), ("BACKUP", 300.0))


@dataclass(frozen=True)
class Exposure:
    """One exposure. `start` is UTC, `seconds` the time exposed, `seeing` in arcseconds.

    `transparency` is the part of the light that the sky let through (0 to 1).
    """

    night: str
    expid: int
    start: datetime
    program: str
    tile: int
    seconds: float
    airmass: float
    seeing: float
    transparency: float

    @property
    def name(self) -> str:
        """The exposure's number as directories and files carry it: eight digits."""
        return f"{self.expid:08d}"

    @property
    def end(self) -> datetime:
        return self.start + timedelta(seconds=self.seconds)


@dataclass(frozen=True)
class Night:
    """One night, named by the date of its evening, `YYYYMMDD`."""

    name: str
    exposures: tuple[Exposure, ...]

    @property
    def date(self) -> datetime:
        return day(self.name)


def day(name: str) -> datetime:
    """Midnight UTC of `YYYYMMDD`."""
    return datetime.strptime(name, "%Y%m%d").replace(tzinfo=timezone.utc)


@cache
def nights() -> tuple[Night, ...]:
    """All nights of the survey, oldest first."""
    found = []
    expid = _FIRST_EXPID
    for month, days in _DAYS.items():
        for number in days:
            name = f"{month}{number:02d}"
            chance = random.Random(f"night {name}")
            exposures = _observe(name, expid, chance)
            found.append(Night(name, exposures))
            # Calibrations, which the sample leaves out, take numbers too.
            expid = exposures[-1].expid + chance.randint(17, 60)
    return tuple(found)


def _observe(night: str, expid: int, chance: random.Random) -> tuple[Exposure, ...]:
    """Four to eight exposures one after the other, spread over the night."""
    start = day(night) + _EVENING + timedelta(minutes=chance.randint(5, 40))
    seeing = chance.uniform(0.85, 1.5)
    exposures = []
    for _ in range(chance.randint(4, 8)):
        exposure = _expose(night, expid, start, seeing, chance)
        exposures.append(exposure)
        start = exposure.end + timedelta(minutes=chance.randint(8, 95))
        seeing = min(2.4, max(0.75, seeing + chance.gauss(0, 0.12)))
        expid += chance.choice((1, 1, 1, 2))
    return tuple(exposures)


def _expose(
    night: str, expid: int, start: datetime, seeing: float, chance: random.Random
) -> Exposure:
    program, seconds = chance.choice(_PROGRAMS)
    clear = (0.45, 0.9) if night in CLOUDY_NIGHTS else (0.9, 1.0)
    return Exposure(
        night=night,
        expid=expid,
        start=start,
        program=program,
        tile=chance.randint(1000, 9999) + (20000 if program == "BRIGHT" else 0),
        seconds=round(seconds * chance.uniform(0.8, 1.3), 1),
        airmass=round(1 + abs(chance.gauss(0.1, 0.15)), 2),
        seeing=round(seeing, 2),
        transparency=round(chance.uniform(*clear), 2),
    )
