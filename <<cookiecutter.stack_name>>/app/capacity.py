"""How many processes suit the cores that this container was given.

For app.ini: `capacity.py most` and `capacity.py fewest` print it.
"""

from __future__ import annotations

import math
import os
import sys
from pathlib import Path

# Each needs memory for the application and its libraries.
LIMIT = 8

# The processor time that the container's group may use, in microseconds of a period: both in
# one file in version 2 of control groups, in a file each in version 1.
# Source: docs.kernel.org, admin-guide/cgroup-v2 and scheduler/sched-bwc.
VERSION_2 = ("cpu.max",)
VERSION_1 = ("cpu/cpu.cfs_quota_us", "cpu/cpu.cfs_period_us")


def cores(groups: Path = Path("/sys/fs/cgroup")) -> int:
    """The cores of the node that this process may use, limits of its group included."""
    allowed = len(os.sched_getaffinity(0))
    for files in (VERSION_2, VERSION_1):
        try:
            words = " ".join((groups / file).read_text() for file in files).split()
            quota, period = int(words[0]), int(words[1])
        except (OSError, ValueError, IndexError):
            continue  # the other version, or "max": no limit
        if quota > 0 and period > 0:
            return max(1, min(allowed, math.ceil(quota / period)))
    return allowed


def most(count: int) -> int:
    """Processes for so many cores: two each, since a request waits for the disk half the time."""
    return min(LIMIT, 2 * max(2, count))


def fewest(count: int) -> int:
    """How many of these always run: half, but at least two, since one that is stuck in a library
    must not stop the other."""
    return most(count) // 2


if __name__ == "__main__":
    print({"most": most, "fewest": fewest}[sys.argv[1]](cores()))
