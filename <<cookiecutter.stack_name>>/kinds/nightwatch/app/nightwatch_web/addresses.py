"""What the parts of an address may be. Text in, checked values out; no files."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

VIEWS = ("spectrograph", "objtype", "input")
FRAMES = ("qframe", "qcframe")


class BadAddress(ValueError):
    """A part of the address is not what it should be; the text says which and why."""


def night(text: str) -> str:
    """A night, YYYYMMDD. Raises BadAddress for anything that is no date."""
    try:
        if not re.fullmatch(r"[0-9]{8}", text):
            raise ValueError
        datetime.strptime(text, "%Y%m%d")
    except ValueError:
        raise BadAddress(f"{text!r} is no night: nights are dates, YYYYMMDD") from None
    return text


def exposure(text: str) -> int:
    """The number of an exposure, with or without leading zeros. Raises BadAddress."""
    if not re.fullmatch(r"[0-9]{1,8}", text):
        raise BadAddress(f"{text!r} is no exposure: exposures are numbers of up to 8 digits")
    return int(text)


def downsample(text: str) -> int:
    """How many pixels become one, written like `4x`. Raises BadAddress.

    Up to four digits, although nightwatch itself takes any number: a camera's image has some 4,000
    pixels in a row, so all pages beyond show the same one, and each address that is asked for
    would leave one more file in the static tree.
    """
    if not re.fullmatch(r"[0-9]{1,4}x", text) or int(text[:-1]) == 0:
        raise BadAddress(f"{text!r} is no downsampling: it is written like 4x, from 1x to 9999x")
    return int(text[:-1])


def frame(text: str) -> str:
    """The kind of frame of that name; qframe for any other name, as in nightwatch itself."""
    return text if text in FRAMES else FRAMES[0]


def word(text: str, what: str) -> str:
    """A name of a table or a column. Raises BadAddress."""
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]{0,63}", text):
        raise BadAddress(f"{text!r} is no {what}: letters, digits and underscores only")
    return text


def fibers(text: str) -> str:
    """Numbers and ranges of fibers, `1,3-5`; blanks are dropped. Raises BadAddress."""
    selected = text.replace(" ", "")
    number = r"[0-9]{1,5}(-[0-9]{1,5})?"
    if not re.fullmatch(rf"{number}(,{number})*", selected):
        raise BadAddress(f"{text!r} is no selection of fibers: it is written like 1,3-5")
    return selected


@dataclass(frozen=True)
class ImagePage:
    """The page with the image of one camera."""

    night: str
    exposure: int
    camera: str
    downsample: int

    @classmethod
    def parse(cls, path: str) -> ImagePage | None:
        """From `<night>/<exposure>/preproc-<camera>-<exposure>-<N>x.html`.

        None for paths of another shape; raises BadAddress when a part of it is wrong.
        """
        found = re.fullmatch(r"([^/]+)/([^/]+)/preproc-([^/]*)\.html", path)
        if not found:
            return None
        parts = found[3].split("-")
        if len(parts) != 3:
            raise BadAddress(f"{path!r} is not NIGHT/EXPOSURE/preproc-CAMERA-EXPOSURE-Nx.html")
        camera, again, factor = parts
        if not re.fullmatch(r"[brz][0-9]", camera):
            raise BadAddress(f"{camera!r} is no camera: one of b, r, z and a digit")
        if not re.fullmatch(r"[0-9]{8}", again) or again != found[2]:
            raise BadAddress(f"{found[2]!r} and {again!r} are not twice the same 8 digits")
        return cls(night(found[1]), exposure(again), camera, downsample(factor))

    @property
    def directory(self) -> str:
        """Where its files are, in the static tree and in the data alike."""
        return f"{self.night}/{self.exposure:08d}"

    @property
    def input(self) -> str:
        """The image that it shows, relative to the data directory."""
        return f"{self.directory}/preproc-{self.camera}-{self.exposure:08d}.fits"


@dataclass(frozen=True)
class Spectra:
    """What the page of an exposure's spectra shows, and whether the address said it all."""

    view: str
    frame: str
    downsample: str
    selection: str | None
    complete: bool

    @classmethod
    def parse(cls, parts: Sequence[str]) -> Spectra:
        """From what stands behind `spectra/`, missing parts filled in. Raises BadAddress.

        `VIEW/FRAME/DOWNSAMPLE`, or `input/FIBERS/FRAME/DOWNSAMPLE`.
        """
        view = parts[0] if parts else VIEWS[0]
        if view not in VIEWS:
            raise BadAddress(f"{view!r} is no view: one of {', '.join(VIEWS)}")
        rest = list(parts[1:])
        # The form for the selection stands at `input/` itself.
        complete = view == "input" and not rest
        selection = None
        if view == "input" and (len(rest) == 3 or (rest and re.match(r"[0-9]", rest[0]))):
            selection = fibers(rest.pop(0))
        kind = frame(rest[0]) if rest else FRAMES[0]
        factor = rest[1] if len(rest) > 1 else "4x"
        downsample(factor)
        if len(rest) > 2:
            raise BadAddress(f"{'/'.join(rest[2:])!r} is too much of an address")
        return cls(view, kind, factor, selection, complete or len(rest) == 2)

    def path(self) -> str:
        """The whole address behind `spectra/`."""
        parts = [self.view, self.selection, self.frame, self.downsample]
        return "".join(f"{part}/" for part in parts if part)
