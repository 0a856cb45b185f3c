"""A made-up tree of Nightwatch pages, the same bytes on every machine.

For each exposure a page of 50 kB, one of 2 kB, a PNG and a JSON file, and for each tenth a
page of 1 MB; 200 nights of 20 exposures make 785 MB. The text is like that of Bokeh's pages:
JSON, with columns of numbers.
"""

from __future__ import annotations

import json
import os
import random
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from pathlib import Path

# Changes with the content, so that an older tree is not taken for this one.
VERSION = 1
FIRST_NIGHT = date(2026, 1, 1)
FIRST_EXPOSURE = 300_001
SLOW_EXPOSURE = 900_001
SLOW_EXPOSURES = 8
_STAMP = "complete"


@dataclass(frozen=True)
class Tree:
    """Where the pages and the data are, and which paths stand for what (item -> path)."""

    static: Path
    data: Path
    mix: Path
    paths: dict[str, str]

    @property
    def hot(self) -> str:
        """A dynamic page that everybody looks at."""
        return dynamic(self.last_night, FIRST_EXPOSURE)

    @property
    def last_night(self) -> str:
        return max(path.name for path in self.data.iterdir())

    def slow(self, number: int) -> str:
        """One of the pages that take 10 s, each another."""
        return dynamic(self.last_night, SLOW_EXPOSURE + number % SLOW_EXPOSURES)


def dynamic(night: str, exposure: int, downsample: str = "4x") -> str:
    """The address of a page that is made on demand."""
    return f"/{night}/{exposure:08d}/spectra/spectrograph/qframe/{downsample}/"


def make(cache_directory: Path, nights: int, exposures: int, owner: tuple[int, int]) -> Tree:
    """The tree, made if it is not there yet; what a server has added to it is removed."""
    root = cache_directory / f"tree-{VERSION}-{nights}x{exposures}"
    stamp = f"{owner[0]}:{owner[1]}"
    if not (root / _STAMP).is_file() or (root / _STAMP).read_text() != stamp:
        shutil.rmtree(root, ignore_errors=True)
        _write(root, nights, exposures)
        _give_to(root, owner)
        (root / _STAMP).write_text(stamp)
    names = {name for name, _ in _files(nights, exposures)}
    _remove_others(root / "static", names)
    mix = root / "mix.txt"
    mix.write_text("".join(f"/{name}\n" for name in sorted(names) if "/" in name))
    return Tree(root / "static", root / "data", mix, _samples(nights, exposures))


def _write(root: Path, nights: int, exposures: int) -> None:
    for name, kind in _files(nights, exposures):
        path = root / "static" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(_content(name, kind))
    slow = range(SLOW_EXPOSURE, SLOW_EXPOSURE + SLOW_EXPOSURES)
    for exposure in (FIRST_EXPOSURE, *slow):
        (root / "data" / _night(nights - 1) / f"{exposure:08d}").mkdir(parents=True)


def _files(nights: int, exposures: int) -> Iterator[tuple[str, str]]:
    """Name and kind of every file."""
    yield "nights.html", "2 kB"
    yield "static/timeseries_dropdown.json", "JSON"
    expid = FIRST_EXPOSURE
    for number in range(nights):
        night = _night(number)
        yield f"{night}/exposures.html", "50 kB"
        for index in range(exposures):
            place = f"{night}/{expid:08d}"
            yield f"{place}/qa-summary-{expid:08d}.html", "50 kB"
            yield f"{place}/qa-amp-{expid:08d}.html", "2 kB"
            yield f"{place}/guide-{expid:08d}.png", "PNG"
            yield f"{place}/qa-{expid:08d}.json", "JSON"
            if index % 10 == 0:
                yield f"{place}/qa-fibers-{expid:08d}.html", "1 MB"
            expid += 1


def _samples(nights: int, exposures: int) -> dict[str, str]:
    """One path of each kind, from the newest night."""
    found = {kind: f"/{name}" for name, kind in _files(nights, exposures) if "/0" in name}
    return {kind: found[kind] for kind in ("2 kB", "50 kB", "1 MB", "PNG", "JSON")}


def _night(number: int) -> str:
    return f"{FIRST_NIGHT + timedelta(days=number):%Y%m%d}"


_SIZES = {"2 kB": 2_000, "50 kB": 50_000, "1 MB": 1_000_000, "PNG": 30_000, "JSON": 5_000}


def _content(name: str, kind: str) -> bytes:
    """A part of the pool, another for each file, behind what makes it that kind of file."""
    size = _SIZES[kind]
    if kind == "PNG":
        return b"\x89PNG\r\n\x1a\n" + random.Random(name).randbytes(size - 8)
    pool = _pool()
    start = random.Random(name).randrange(len(pool) - size)
    part = pool[start : start + size]
    if kind == "JSON":
        return json.dumps({"name": name, "columns": part}).encode()
    head = f"<!doctype html><html><head><title>{name}</title></head><body><script>"
    return f"{head}{part}</script></body></html>\n".encode()


@cache
def _pool() -> str:
    """Some MB of what Bokeh writes into its pages: models as JSON with columns of numbers.

    gzip makes it a quarter (a page of real measurements may shrink less).
    """
    numbers = random.Random(VERSION)
    models = []
    for model in range(2400):
        start = numbers.randrange(5000)
        level = numbers.uniform(1, 9)
        columns = {
            "fiber": list(range(start, start + 100)),
            "flux": [round(numbers.gauss(level, 0.3), 3) for _ in range(100)],
            "status": [numbers.choice(("good", "good", "good", "bad")) for _ in range(100)],
        }
        attributes = {"data": columns, "selected": {"id": f"p{model}"}, "visible": True}
        models.append({"type": "object", "name": "ColumnDataSource", "attributes": attributes})
    return json.dumps(models)


def _give_to(root: Path, owner: tuple[int, int]) -> None:
    """Readable by all, owned by whom the containers run as."""
    for directory, _, names in os.walk(root):
        places = [(Path(directory), 0o755)]
        places += [(Path(directory, name), 0o644) for name in names]
        for place, mode in places:
            place.chmod(mode)
            if os.geteuid() == 0:
                os.chown(place, *owner)


def _remove_others(static: Path, names: set[str]) -> None:
    """Pages and compressed copies that an earlier run has left behind."""
    for directory, _, files in os.walk(static):
        for file in files:
            path = Path(directory, file)
            if path.relative_to(static).as_posix() not in names:
                path.unlink()
