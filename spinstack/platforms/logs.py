"""The log of a service, from those of its containers. Pure.

A platform may print one container after the other, in no particular order: after a failed
upgrade the last lines of the old container may follow those of the new one, which has the same
name. So the lines come with their times, and are sorted by them.
"""

from __future__ import annotations

from collections.abc import Iterable

from spinstack.platforms.base import LogLine


def in_order(lines: Iterable[LogLine], count: int) -> list[LogLine]:
    """The last `count` lines (0 or less: all), oldest first."""
    ordered = sorted(lines, key=lambda line: line.time)
    return ordered[-count:] if count > 0 else ordered


def last_lines(service: str, lines: Iterable[LogLine], count: int) -> str:
    """The end of a service's log under its name. A line names its container where there are
    several."""
    found = in_order(lines, count)
    several = len({line.container for line in found}) > 1
    text = "\n".join(
        (f"{line.container} | " if several and line.container else "") + line.text for line in found
    )
    return f"--- {service}, last lines ---\n{text.strip() or '(no output)'}"
