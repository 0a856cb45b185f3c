"""The machine that is measured on, as far as every benchmark needs to tell it."""

from __future__ import annotations

import os
import platform
from pathlib import Path


def describe() -> dict[str, object]:
    """What somebody needs to know who compares these figures with their own."""
    return {
        "processor": _from("/proc/cpuinfo", "model name") or platform.machine(),
        "cores": os.cpu_count() or 1,
        "memory_gib": round(_memory() / 2**30),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "load_average_before": round(os.getloadavg()[0], 2),
    }


def doubts(described: dict[str, object]) -> list[str]:
    """Why these figures may say less than they should."""
    load = float(str(described["load_average_before"]))
    return [f"the machine is busy (load average {load})"] if load > 1 else []


def in_a_line(described: dict[str, object]) -> str:
    """The same, short."""
    parts = [
        f"{described['cores']} × {described['processor']}",
        f"{described['memory_gib']} GiB",
        *(str(described[key]) for key in ("system", "engine") if described.get(key)),
    ]
    return ", ".join(parts)


def _from(file: str, key: str) -> str:
    try:
        lines = Path(file).read_text().splitlines()
    except OSError:
        return ""
    values = (line.partition(":")[2].strip() for line in lines if line.startswith(key))
    return next(values, "")


def _memory() -> int:
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
