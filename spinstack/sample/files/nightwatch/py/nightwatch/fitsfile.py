"""Reads the sample's FITS files, with fitsio where it is installed, else with astropy."""

from __future__ import annotations

from typing import Any

try:
    import fitsio
except ImportError:
    fitsio = None


def read_image(path: str) -> tuple[Any, dict[str, Any]]:
    """The pixels of the first image as a numpy array (rows first), and the header."""
    if fitsio is not None:
        pixels, header = fitsio.read(path, header=True)
        return pixels, dict(header)
    from astropy.io import fits

    with fits.open(path, memmap=False) as opened:
        return opened[0].data, dict(opened[0].header)


def read_table(path: str, name: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The columns of the table called `name` as numpy arrays, and the first header.

    Raises KeyError or OSError if there is no such table.
    """
    if fitsio is not None:
        with fitsio.FITS(path) as opened:
            rows = opened[name].read()
            return {column: rows[column] for column in rows.dtype.names}, dict(
                opened[0].read_header()
            )
    from astropy.io import fits

    with fits.open(path, memmap=False) as opened:
        rows = opened[name].data
        return {column: rows[column] for column in rows.names}, dict(opened[0].header)
