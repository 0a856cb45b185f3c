"""Scenarios of many visitors: requests/s, latency and bytes of files and of a hot page."""

from __future__ import annotations

import time
from pathlib import Path

from benchmarks.serving import web
from benchmarks.serving.bench import ALL, STACKS, Bench
from benchmarks.serving.figures import GENERATED, Cell
from benchmarks.serving.stage import Site

GZIP = {"Accept-Encoding": "gzip"}
MIX = "random mix"
# Items at each number of connections, and at 16 alone.
MAIN = ("2 kB", "50 kB", "1 MB", MIX)
ALSO = ("PNG", "JSON")
HOT_CONNECTIONS = (1, 16, 128)
_IDLE_REQUEST = b"GET /nights.html HTTP/1.1\r\nHost: idle\r\n\r\n"


def static(bench: Bench) -> None:
    """Files of each kind, at each number of connections, on all three."""
    sites = bench.up(ALL)
    for site in sites.values():
        bench.load(site, bench.tree.mix, 16, seconds=2 * bench.effort.seconds)
    rows = [(item, count) for item in MAIN for count in bench.effort.connections]
    rows += [(item, 16) for item in ALSO if not bench.effort.quick]
    for number in range(bench.effort.rounds):
        for item, count in rows:
            for name in bench.in_turn(number, ALL):
                _static_cell(bench, sites[name], item, count)


def _static_cell(bench: Bench, site: Site, item: str, count: int) -> None:
    paths: Path | str = bench.tree.mix if item == MIX else bench.tree.paths[item]
    load = bench.load(site, paths, count)
    bench.results.add(Cell("static", item, count, site.variant.name), **load.figures())


def idle(bench: Bench) -> None:
    """The 50 kB page at 16 connections while many others are open and silent."""
    sites = bench.up(ALL)
    for number in range(bench.effort.rounds):
        for name in bench.in_turn(number, ALL):
            address = sites[name].address
            with web.held(address, bench.effort.idle, _IDLE_REQUEST, answered=True) as still_open:
                load = bench.load(sites[name], bench.tree.paths["50 kB"], 16)
                kept = still_open()
            cell = Cell("idle", f"50 kB, {bench.effort.idle} idle", 16, name)
            bench.results.add(cell, **load.figures(), kept=kept)


def dynamic(bench: Bench) -> None:
    """One dynamic page that everybody asks for."""
    sites = bench.up(STACKS)
    for site in sites.values():
        # Each worker imports the scientific stack for its first page.
        bench.load(site, bench.tree.hot, 16, seconds=3 * bench.effort.seconds)
    counts = [count for count in HOT_CONNECTIONS if count in bench.effort.connections]
    for number in range(bench.effort.rounds):
        for count in counts:
            for name in bench.in_turn(number, STACKS):
                load = bench.load(sites[name], bench.tree.hot, count)
                cell = Cell("dynamic", "hot dynamic page", count, name)
                bench.results.add(cell, **load.figures())


def gzip(bench: Bench) -> None:
    """HTML to clients that take gzip: bytes on the wire, and whether each answer is
    compressed anew."""
    sites = bench.up(STACKS)
    for name in STACKS:
        _compare_bytes(bench, sites[name])
    for number in range(bench.effort.rounds):
        for name in bench.in_turn(number, STACKS):
            for item, headers in (("50 kB, plain", {}), ("50 kB, gzip", GZIP)):
                load = bench.load(sites[name], bench.tree.paths["50 kB"], 16, headers=headers)
                bench.results.add(Cell("gzip", item, 16, name), **load.figures())


def _compare_bytes(bench: Bench, site: Site) -> None:
    for item in ("2 kB", "50 kB", "1 MB"):
        path = bench.tree.paths[item]
        plain = web.fetch(site.address, path).wire
        packed = _packed(site, path, 3.0 if site.variant.name == GENERATED else 0.0)
        etag = web.fetch(site.address, path).headers.get("etag", "")
        unchanged = web.fetch(site.address, path, {"If-None-Match": etag}).wire
        cell = Cell("wire", item, 0, site.variant.name)
        bench.results.add(cell, plain=plain, gzip=packed, unchanged=unchanged)


def _packed(site: Site, path: str, patience: float) -> int:
    """Bytes for a client that takes gzip; the first askers may get what is not packed yet."""
    end = time.monotonic() + patience
    reply = web.fetch(site.address, path, GZIP)
    while "content-encoding" not in reply.headers and time.monotonic() < end:
        time.sleep(0.2)
        reply = web.fetch(site.address, path, GZIP)
    return reply.wire
