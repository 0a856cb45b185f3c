"""What uWSGI's workers do, in lines: `python3 -m nightwatch_web.workers` in the container."""

from __future__ import annotations

import json
import socket
import sys
import time
from collections.abc import Mapping
from typing import Any

# As app.ini has it.
STATS = "/tmp/uwsgi-stats"
# Seconds to wait for the master process.
PATIENCE = 5.0


def read(path: str = STATS) -> dict[str, Any]:
    """uWSGI's own statistics. Raises OSError when it does not answer, ValueError when it
    answers with something else."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(PATIENCE)
        connection.connect(path)
        parts = iter(lambda: connection.recv(65536), b"")
        return dict(json.loads(b"".join(parts)))


def lines(stats: Mapping[str, Any], now: float) -> list[str]:
    """A line for all of them and one for each that runs. `now`: seconds since 1970."""
    workers = stats["workers"]
    awake = [worker for worker in workers if worker["status"] != "cheap"]
    busy = sum(worker["status"].startswith("busy") for worker in awake)
    cut_off = sum(worker["harakiri_count"] for worker in workers)
    return [
        f"{len(awake)} of up to {len(workers)} workers run, {busy} at work, "
        f"{stats['listen_queue']} requests wait, {cut_off} were cut off for taking too long",
        *(
            f"worker {worker['id']}: {worker['status']}, {worker['requests']} requests, "
            f"{worker['rss'] / 1e6:.0f} MB, started {(now - worker['last_spawn']) / 60:.0f} min ago"
            for worker in awake
        ),
    ]


if __name__ == "__main__":
    try:
        print("\n".join(lines(read(), time.time())))
    except (OSError, ValueError) as error:
        sys.exit(f"uWSGI does not tell how its workers are: {error}")
