"""What uWSGI's workers do, in lines: `python3 -m nightwatch_web.workers` in the container.

With `--json`, as `invoke status` asks: one object, with a line for people as its `summary`.
"""

from __future__ import annotations

import json
import re
import socket
import sys
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from nightwatch_web import ended, mounted

# As uwsgi.ini has it.
STATS = "/tmp/uwsgi-stats"
# Seconds to wait for the master process: less than `invoke status` waits for us.
PATIENCE = 2.0


def read(path: str = STATS) -> dict[str, Any]:
    """uWSGI's own statistics. Raises OSError when it does not answer, ValueError when it
    answers with something else."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(PATIENCE)
        connection.connect(path)
        parts = iter(lambda: connection.recv(65536), b"")
        # Addresses are in it as they came: any bytes.
        return dict(json.loads(b"".join(parts).decode("latin-1"), strict=False))


def lines(stats: Mapping[str, Any], now: float) -> list[str]:
    """A line for all of them and one for each that runs. `now`: seconds since 1970."""
    workers = stats["workers"]
    awake = [worker for worker in workers if worker["status"] != "cheap"]
    busy = sum(worker["status"].startswith("busy") for worker in awake)
    return [
        f"{len(awake)} of up to {len(workers)} workers run, {busy} at work, "
        f"{stats['listen_queue']} requests wait, "
        f"{cut_off(workers)} were cut off for taking too long",
        *(
            f"worker {worker['id']}: {worker['status']}, {worker['requests']} requests, "
            f"{worker['rss'] / 1e6:.0f} MB, started {(now - worker['last_spawn']) / 60:.0f} min ago"
            for worker in awake
        ),
    ]


def told(stats: Mapping[str, Any], now: float) -> dict[str, Any]:
    """For `--json`. `longest_seconds`: how long the oldest request that is at work has been
    so, in whole seconds as uWSGI keeps it; None if none is. `import_problem`: why nightwatch's
    code can't be imported; empty if it can, or is being tried."""
    workers = stats["workers"]
    awake = [worker for worker in workers if worker["status"] != "cheap"]
    cores = [core for worker in awake for core in worker["cores"] if core["in_request"]]
    problem = mounted.problem()
    # Older versions of uWSGI do not tell when a request came.
    begun = [core["req_info"].get("request_start", now) for core in cores]
    fields = {
        "workers": len(awake),
        "most_workers": len(workers),
        "busy": sum(worker["status"].startswith("busy") for worker in awake),
        "requests": sum(worker["requests"] for worker in workers),
        "megabytes": round(sum(map(memory, [stats, *awake])) / 1e6),
        "longest_seconds": max(int(now - min(begun)), 0) if begun else None,
        "waiting": stats["listen_queue"],
        "cut_off": cut_off(workers),
        "import_problem": "" if problem in (None, mounted.PENDING) else problem,
    }
    return {"summary": summary(fields), **fields}


def cut_off(workers: Iterable[Mapping[str, Any]]) -> int:
    """How many requests were ended for taking too long, by deadline.py or by uWSGI itself."""
    return ended.count() + sum(worker["harakiri_count"] for worker in workers)


def memory(process: Mapping[str, Any]) -> int:
    """Bytes that a process occupies, its share of what it has in common with others; all that
    it has in memory if the kernel does not tell."""
    try:
        rollup = Path("/proc", str(process["pid"]), "smaps_rollup").read_text()
        return int(re.findall(r"^Pss:\s+(\d+)", rollup, re.MULTILINE)[0]) * 1024
    except (OSError, IndexError):
        return int(process.get("rss", 0))


def summary(fields: Mapping[str, Any]) -> str:
    """`4 workers, 1 busy, 212 requests, 340 MB; longest 2 s`; what is rare, only if it is so."""
    workers, longest, waiting, cut_off = (
        fields[name] for name in ("workers", "longest_seconds", "waiting", "cut_off")
    )
    line = f"{workers} worker{'s' if workers != 1 else ''}, {fields['busy']} busy, "
    line += f"{fields['requests']} requests, {fields['megabytes']} MB"
    line += f"; longest {longest} s" if longest is not None else ""
    line += f"; {waiting} wait" if waiting else ""
    line += f"; {cut_off} cut off as too slow" if cut_off else ""
    problem = fields["import_problem"]
    return line + (f"; no page can be made on demand: {problem}" if problem else "")


if __name__ == "__main__":
    try:
        if sys.argv[1:] == ["--json"]:
            print(json.dumps(told(read(), time.time())))
        else:
            print("\n".join(lines(read(), time.time())))
    except (OSError, ValueError) as error:
        sys.exit(f"uWSGI does not tell how its workers are: {error}")
