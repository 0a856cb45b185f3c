"""Scenario: memory of a stack that runs alone, after the same load."""

from __future__ import annotations

import re
from pathlib import Path

from benchmarks.serving.bench import STACKS, Bench
from benchmarks.serving.figures import Cell
from benchmarks.serving.stage import Site
from spinstack.errors import SpinstackError

_PSS = re.compile(r"^Pss:\s+(\d+) kB$", re.MULTILINE)


def memory(bench: Bench) -> None:
    """PSS of all processes of a stack, while no other stack divides its pages with it."""
    for number in range(bench.effort.fault_rounds):
        for name in bench.in_turn(number, STACKS):
            if name in bench.sites:
                bench.down(name)
            site = bench.up((name,), alone=True)[name]
            for paths in (*map(bench.tree.paths.get, ("2 kB", "50 kB")), bench.tree.mix):
                assert paths is not None
                bench.load(site, paths, 16)
            bench.load(site, bench.tree.hot, 16, seconds=3 * bench.effort.seconds)
            bench.results.add(Cell("memory", "PSS", 0, name), **used(bench, site))
            bench.down(name)


def used(bench: Bench, site: Site) -> dict[str, float]:
    """MiB of each service and of both, and how many processes that is."""
    figures: dict[str, float] = {"mib": 0.0, "processes": 0}
    for service, container in site.containers.items():
        processes = [process for process, _ in bench.stage.processes(container)]
        figures[service] = sum(pss(process) for process in processes) / 1024
        figures["mib"] += figures[service]
        figures["processes"] += len(processes)
    return figures


def pss(process: int) -> int:
    """Proportional set size in kB; 0 for a process that has just ended."""
    try:
        text = Path(f"/proc/{process}/smaps_rollup").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    except PermissionError:
        raise SpinstackError(
            "the memory of the containers can't be read",
            where=f"/proc/{process}/smaps_rollup",
            remedy="run it as root, or leave this scenario out",
        ) from None
    found = _PSS.search(text)
    return int(found[1]) if found else 0
