"""The log of a service out of those of its containers.

`rancher logs` prints one container after the other, in no order that means anything: after
a failed upgrade the last words of the old container may follow those of the new one, which
has the same name. So the lines are asked for with their times, and put in that order.
"""

from __future__ import annotations

import re

# A line's container, where there are several, and its time as Docker writes it: UTC, so that
# texts sort as times do.
_LINE = re.compile(
    r"(?:(?P<container>[\w.-]+) \| )?"
    r"(?P<time>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z) ?(?P<text>.*)"
)


def in_order(output: str, lines: int) -> str:
    """The last `lines` lines of all containers (0 or less: all), oldest first, without their times.

    A line says its container where there are several of different names. Output without
    times is given back as it is.
    """
    found = [match for line in output.splitlines() if (match := _LINE.fullmatch(line))]
    if not found:
        return output
    several = len({match["container"] for match in found}) > 1
    ordered = sorted(found, key=lambda match: match["time"].rstrip("Z"))
    return "".join(
        (f"{match['container']} | " if several else "") + f"{match['text']}\n"
        for match in (ordered[-lines:] if lines > 0 else ordered)
    )
