"""What the sample holds, as file names and contents, and how it is written to a disk."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from functools import cache
from hashlib import sha256
from pathlib import Path, PurePosixPath

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
# Spin needs o+x on all directories above a mount; the pages are no secret.
_DIRECTORY_MODE, _FILE_MODE = 0o755, 0o644

File = tuple[PurePosixPath, bytes]


def lay_out(project_dir: Path, *, owner: tuple[int, int] | None = None) -> None:
    """Writes the sample's files below `project_dir`, which is made if it is not there.

    `owner` is (uid, gid) of whom all is given to, if we are root. A sample that is there
    already, whole and of this version, is left alone; other files are never touched.
    Raises SpinstackError if the directory can't be written.
    """
    giver = owner if os.geteuid() == 0 else None
    stamp = f"{_version()} {giver}\n"
    try:
        if _is_complete(project_dir, stamp):
            return
        writer = _Writer(project_dir, giver)
        for name, content in _all_files():
            writer.write(name, content)
        writer.write(_STAMP, stamp.encode())  # last: its presence tells that all is there
    except OSError as error:
        raise SpinstackError(
            f"the sample data can't be written: {error.strerror}",
            where=str(error.filename or project_dir),
            remedy="name a directory that you may write to, with 20 MB of space",
        ) from error


def _is_complete(project_dir: Path, stamp: str) -> bool:
    try:
        found = (project_dir / _STAMP).read_text(encoding="utf-8")
    except FileNotFoundError:
        return False
    places = (STATIC / "nights.html", DATA, *(PurePosixPath(name) for name in CHECKOUTS))
    return found == stamp and all((project_dir / place).exists() for place in places)


class _Writer:
    """Writes files below a directory, each whole or not at all, with modes and owner."""

    def __init__(self, root: Path, owner: tuple[int, int] | None) -> None:
        self._root = root
        self._owner = owner
        self._made: set[Path] = set()

    def write(self, name: PurePosixPath, content: bytes) -> None:
        path = self._root / name
        self._make_directory(path.parent)
        # The site may be running: nobody is to see half a file.
        half = path.with_name(f".{path.name}.half")
        half.unlink(missing_ok=True)
        descriptor = os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _FILE_MODE)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
            os.fchmod(stream.fileno(), _FILE_MODE)
            if self._owner:
                os.fchown(stream.fileno(), *self._owner)
        half.replace(path)

    def _make_directory(self, path: Path) -> None:
        """Makes it and what is missing above; mends the mode of those below the root."""
        if path in self._made:
            return
        is_new = not path.is_dir()
        if path != self._root:
            self._make_directory(path.parent)
        if is_new:
            path.mkdir(parents=True, exist_ok=True)
        if is_new or path != self._root:
            path.chmod(_DIRECTORY_MODE)
            if self._owner:
                os.chown(path, *self._owner, follow_symlinks=False)
        self._made.add(path)


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
