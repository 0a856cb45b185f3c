"""FITS files written with the standard library alone: one image, or tables.

Source: FITS standard 4.0 (2018), https://fits.gsfc.nasa.gov/fits_standard.html: blocks of
2880 bytes, header cards of 80 characters, numbers big-endian.
"""

from __future__ import annotations

import struct
import sys
from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

BLOCK = 2880
_CARD = 80

Value = bool | int | float | str


@dataclass(frozen=True)
class Column:
    """A column of a binary table: `width` characters of text, or (0) a 32-bit float."""

    name: str
    width: int = 0
    unit: str = ""

    @property
    def form(self) -> str:
        return f"{self.width}A" if self.width else "E"

    @property
    def packing(self) -> str:
        return f"{self.width}s" if self.width else "f"


def image(keys: Mapping[str, Value], pixels: array[float], width: int) -> bytes:
    """A file with one image of 32-bit floats, row after row, `width` pixels a row.

    Raises ValueError if the pixels do not fill whole rows.
    """
    height, rest = divmod(len(pixels), width)
    if rest or pixels.itemsize != 4:
        raise ValueError(f"{len(pixels)} pixels of {pixels.itemsize} bytes, rows of {width}")
    structure: dict[str, Value] = {"SIMPLE": True, "BITPIX": -32, "NAXIS": 2}
    structure |= {"NAXIS1": width, "NAXIS2": height}
    data = array("f", pixels)
    if sys.byteorder == "little":
        data.byteswap()
    return _header(structure | dict(keys)) + _fill(data.tobytes(), b"\0")


def primary(keys: Mapping[str, Value]) -> bytes:
    """A first header without data, for tables to follow."""
    structure: dict[str, Value] = {"SIMPLE": True, "BITPIX": 8, "NAXIS": 0, "EXTEND": True}
    return _header(structure | dict(keys))


def table(name: str, columns: Sequence[Column], rows: Iterable[Sequence[Value]]) -> bytes:
    """A binary table extension called `name`."""
    packing = struct.Struct(">" + "".join(column.packing for column in columns))
    lines = [packing.pack(*(_packed(value) for value in row)) for row in rows]
    keys: dict[str, Value] = {"XTENSION": "BINTABLE", "BITPIX": 8, "NAXIS": 2}
    keys |= {"NAXIS1": packing.size, "NAXIS2": len(lines), "PCOUNT": 0, "GCOUNT": 1}
    keys |= {"TFIELDS": len(columns), "EXTNAME": name}
    for number, column in enumerate(columns, 1):
        keys |= {f"TTYPE{number}": column.name, f"TFORM{number}": column.form}
        if column.unit:
            keys[f"TUNIT{number}"] = column.unit
    return _header(keys) + _fill(b"".join(lines), b"\0")


def _packed(value: Value) -> bytes | float:
    return value.encode("ascii") if isinstance(value, str) else float(value)


def _header(keys: Mapping[str, Value]) -> bytes:
    cards = [_card(key, value) for key, value in keys.items()] + ["END".ljust(_CARD)]
    return _fill("".join(cards).encode("ascii"), b" ")


def _card(key: str, value: Value) -> str:
    """Fixed format: numbers end in column 30, text stands in quotes from column 11."""
    if isinstance(value, bool):
        shown = ("T" if value else "F").rjust(20)
    elif isinstance(value, str):
        shown = "'" + value.replace("'", "''").ljust(8) + "'"
    else:
        shown = repr(value).upper().rjust(20)
    card = f"{key:<8}= {shown}".ljust(_CARD)
    if len(key) > 8 or len(card) > _CARD:
        raise ValueError(f"{key} = {value!r} does not fit a header card")
    return card


def _fill(data: bytes, filler: bytes) -> bytes:
    return data + filler * (-len(data) % BLOCK)
