"""Tables as Go's tabwriter lays them out: ten columns at least, three blanks between."""

from __future__ import annotations

from collections.abc import Sequence

_LEAST_WIDTH = 10
_GAP = 3


def table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """The lines of a table. Empty cells are blanks; the last column is not padded."""
    everything = [list(headings), *(list(row) for row in rows)]
    widths = [
        max(_LEAST_WIDTH, max(len(row[column]) for row in everything) + _GAP)
        for column in range(len(headings) - 1)
    ]
    return [_line(row, widths) for row in everything]


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    padded = [row[column].ljust(width) for column, width in enumerate(widths)]
    return "".join(padded) + row[-1]
