"""What the sample holds, as file names and contents, and how it is written to a disk."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from functools import cache
from hashlib import sha256
from pathlib import Path, PurePosixPath

from spinstack.directories import Directory, Owner, read_small
from spinstack.errors import SpinstackError
from spinstack.sample import frames, png
from spinstack.sample.pages.calendar import calendar_page
from spinstack.sample.pages.exposure import exposure_page
from spinstack.sample.pages.night import night_page
from spinstack.sample.quality import measure
from spinstack.sample.survey import Exposure, Night, nights

# Relative to the project directory, as the template's answers have them by default.
STATIC = PurePosixPath("nightwatchtest/output")
DATA = PurePosixPath("nightwatchtest/data/output")
CHECKOUTS = ("nightwatch", "desimodel", "desiutil")

_PACKAGE = Path(__file__).resolve().parent
_STAMP = PurePosixPath("nightwatchtest/.spinstack-sample")

_ELSEWHERE = "name a directory that you may write to, with 20 MB of space"

File = tuple[PurePosixPath, bytes]


def lay_out(project_dir: Path, *, owner: Owner | None = None) -> None:
    """Writes the sample's files below `project_dir`, which is made if it is not there.

    `owner` is (uid, gid) of whom all is given to, if we are root. A sample that is there
    already, whole and of this version, is left alone; other files are never touched.
    Raises SpinstackError if the directory can't be written.
    """
    giver = owner if os.geteuid() == 0 else None
    what = "the sample data can't be written: its directory"
    try:
        project = Directory(project_dir, None, what=what, remedy=_ELSEWHERE, owner=giver)
    except OSError as error:
        raise _cannot(project_dir, error) from error
    with project:
        fill(project, giver)


def fill(project: Directory, owner: Owner | None) -> None:
    """As `lay_out`, in an open directory. No link in it is followed: its owner may be somebody
    else than we, who write as root."""
    stamp = f"{_version()} {owner}\n".encode()
    if _is_complete(project, stamp):
        return
    try:
        for name, content in _all_files():
            _write(project, name, content, owner)
        _write(project, _STAMP, stamp, owner)  # last: its presence tells that all is there
    except OSError as error:
        raise _cannot(project.path, error) from error


def _write(project: Directory, name: PurePosixPath, content: bytes, owner: Owner | None) -> None:
    # Spin needs o+x on all directories above a mount; the pages are no secret.
    project.directory(name.parent, 0o755, owner).write(name.name, content, 0o644, owner)


def _cannot(project_dir: Path, error: OSError) -> SpinstackError:
    return SpinstackError(
        f"the sample data can't be written: {error.strerror}",
        where=str(error.filename or project_dir),
        remedy=_ELSEWHERE,
    )


def _is_complete(project: Directory, stamp: bytes) -> bool:
    places = (STATIC / "nights.html", DATA, *(PurePosixPath(name) for name in CHECKOUTS))
    return read_small(project.path / _STAMP) == stamp and all(
        (project.path / place).exists() for place in places
    )


def _all_files() -> Iterator[File]:
    for name in CHECKOUTS:
        yield from _below(_PACKAGE / "files" / name, PurePosixPath(name))
    yield from _site_files()
    all_nights = nights()
    neighbours = zip((None, *all_nights), all_nights, (*all_nights[1:], None), strict=False)
    for before, night, after in neighbours:
        yield STATIC / night.name / "exposures.html", night_page(night, before, after).encode()
        for exposure in night.exposures:
            yield from _exposure_files(night, exposure)


def _site_files() -> Iterator[File]:
    choices = json.dumps(frames.timeseries_choices(), indent=1)
    icon = png.grey(bytes(255 if (x - 8) ** 2 + (y - 8) ** 2 < 40 else 40
                          for y in range(16) for x in range(16)), 16)  # fmt: skip
    yield STATIC / "nights.html", calendar_page(nights()).encode()
    yield STATIC / "static/timeseries_dropdown.json", choices.encode()
    yield STATIC / "static/icon.png", icon


def _exposure_files(night: Night, exposure: Exposure) -> Iterator[File]:
    name, place = exposure.name, PurePosixPath(night.name, exposure.name)
    page = exposure_page(night, exposure)
    guide = png.guide_image(name, exposure.seeing, exposure.transparency)
    yield STATIC / place / f"qa-summary-{name}.html", page.encode()
    yield STATIC / place / f"guide-{name}.png", guide
    yield DATA / place / f"qa-{name}.fits", frames.measurements(exposure, measure(exposure))
    if frames.has_frames(exposure):
        for camera in frames.FRAME_CAMERAS:
            yield (
                DATA / place / f"preproc-{camera}-{name}.fits",
                frames.camera_image(exposure, camera),
            )


def _below(directory: Path, name: PurePosixPath) -> Iterator[File]:
    """The files in a directory of the package and below, in order of their names."""
    for entry in sorted(directory.iterdir(), key=lambda entry: entry.name):
        if entry.is_file() and not entry.name.endswith(".pyc"):
            yield name / entry.name, entry.read_bytes()
        elif entry.is_dir() and entry.name != "__pycache__":
            yield from _below(entry, name / entry.name)


@cache
def _version() -> str:
    """Changes with any file that the sample is made of or by."""
    digest = sha256()
    for name, content in _below(_PACKAGE, PurePosixPath()):
        digest.update(f"{name} {len(content)}\n".encode() + content)
    return digest.hexdigest()[:16]
