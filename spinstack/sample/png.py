"""Grey PNG images written with the standard library alone, and a starry one to write.

Source: PNG specification, 2nd edition (ISO/IEC 15948:2003), section 5.
"""

from __future__ import annotations

import math
import random
import struct
import zlib
from functools import cache

WIDTH, HEIGHT = 288, 180


def grey(pixels: bytes | bytearray, width: int) -> bytes:
    """A PNG of 8-bit grey values, row after row from the top.

    Raises ValueError if the pixels do not fill whole rows.
    """
    height, rest = divmod(len(pixels), width)
    if rest or not height:
        raise ValueError(f"{len(pixels)} pixels do not fill rows of {width}")
    # Each row starts with the number of its filter: 0, none.
    rows = b"".join(b"\0" + pixels[at : at + width] for at in range(0, len(pixels), width))
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows, 6)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in chunks)


def guide_image(seed: str, seeing: float, transparency: float) -> bytes:
    """A made-up image of a guide camera: stars as wide as the seeing (arcseconds)."""
    chance = random.Random(f"guide {seed}")
    pixels = bytearray(chance.randbytes(WIDTH * HEIGHT).translate(_sky()))
    for _ in range(20):
        brightness = transparency * 60 / chance.uniform(0.08, 1.0)
        place = chance.uniform(8, WIDTH - 8), chance.uniform(8, HEIGHT - 8)
        _star(pixels, place, brightness, 1.5 * seeing)
    return grey(pixels, WIDTH)


@cache
def _sky() -> bytes:
    """Turns evenly spread bytes into bell-shaped noise around a dark sky."""
    chance = random.Random("sky")
    return bytes(max(0, min(255, round(chance.gauss(26, 5)))) for _ in range(256))


def _star(pixels: bytearray, place: tuple[float, float], brightness: float, width: float) -> None:
    """Adds a star as wide as `width` (pixels), cut off seven pixels from its middle."""
    across, down = (
        [(at, math.exp(-((at - middle) ** 2) / (2 * width * width)))
         for at in range(int(middle) - 7, int(middle) + 8)]
        for middle in place
    )  # fmt: skip
    for row, part in down:
        light = brightness * part
        for column, share in across:
            at = row * WIDTH + column
            pixels[at] = min(255, pixels[at] + int(light * share))


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
