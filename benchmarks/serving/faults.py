"""Scenarios in which something goes wrong: what visitors notice of it.

Both stacks are probed side by side: the load is light, and so both meet the same machine.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from benchmarks.common.figures import percentile
from benchmarks.serving import web
from benchmarks.serving.bench import STACKS, Bench
from benchmarks.serving.figures import GENERATED, Cell
from benchmarks.serving.stage import Site
from benchmarks.serving.tree import FIRST_EXPOSURE, dynamic
from benchmarks.serving.web import Reply

# Probes a second on each page.
RATE = 20.0
SLOW_REQUESTS = 5
FREEZE_SECONDS = 3.0
# Seconds for an answer while the application is frozen or gone.
EVENT_PATIENCE = 8.0
HALF_A_REQUEST = b"GET /nights.html HTTP/1.1\r\nHost: half\r\n"


def busy(bench: Bench) -> None:
    """Static pages while five requests wait 10 s each in the application."""
    sites = list(bench.up(STACKS).values())
    for _ in range(bench.effort.rounds):
        _probe_static(bench, sites, "idle application", bench.effort.probed(5))
        with _slow_requests(bench, sites):
            time.sleep(0.5)
            _probe_static(bench, sites, "all workers busy", bench.effort.probed(8.5))


def _probe_static(bench: Bench, sites: Sequence[Site], item: str, seconds: float) -> None:
    def one(site: Site) -> None:
        replies = web.probe(site.address, bench.tree.paths["50 kB"], RATE, seconds)
        bench.results.add(Cell("busy", item, 0, site.variant.name), **_figures(replies))

    _at_once(one, sites)


def _figures(replies: Sequence[Reply]) -> dict[str, float]:
    times = [reply.seconds * 1000 for reply in replies]
    return {
        "asked": len(replies),
        "failed": sum(not reply.good for reply in replies),
        "p50": percentile(times, 0.5),
        "p99": percentile(times, 0.99),
        "worst": max(times),
    }


def _at_once(action: Callable[[Site], None], sites: Sequence[Site]) -> None:
    with ThreadPoolExecutor(len(sites)) as pool:
        list(pool.map(action, sites))


@contextmanager
def _slow_requests(bench: Bench, sites: Sequence[Site]) -> Iterator[None]:
    """Keeps five slow requests on each site: who is told to wait asks again a second later."""
    over = threading.Event()

    def ask(site: Site, number: int) -> None:
        while not over.is_set():
            web.fetch(site.address, bench.tree.slow(number), timeout=30)
            over.wait(1.0)

    threads = [
        threading.Thread(target=ask, args=(site, number), daemon=True)
        for site in sites
        for number in range(SLOW_REQUESTS)
    ]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join()


def frozen(bench: Bench) -> None:
    """Static and dynamic pages while the application stands still for 3 s."""
    sites = list(bench.up(STACKS).values())

    def freeze(site: Site) -> None:
        time.sleep(0.5)
        bench.stage.ask("pause", site.containers["app"])
        time.sleep(FREEZE_SECONDS)
        bench.stage.ask("unpause", site.containers["app"])

    for _ in range(bench.effort.fault_rounds):
        _while_probed(bench, "frozen", sites, freeze, FREEZE_SECONDS + 1)


def gone(bench: Bench) -> None:
    """Static and dynamic pages while there is no application; then how soon a page that is
    not kept anywhere is made again."""
    sites = list(bench.up(STACKS).values())

    def kill(site: Site) -> None:
        time.sleep(0.5)
        bench.stage.ask("kill", site.containers["app"])

    for number in range(bench.effort.fault_rounds):
        _while_probed(bench, "gone", sites, kill, 4)
        for site in sites:
            bench.stage.ask("start", site.containers["app"])
        for site in sites:
            new = dynamic(bench.tree.last_night, FIRST_EXPOSURE, f"{number + 5}x")
            seconds = web.wait_for(site.address, new)
            bench.results.add(Cell("back", "dynamic", 0, site.variant.name), seconds=seconds)


def _while_probed(
    bench: Bench,
    scenario: str,
    sites: Sequence[Site],
    event: Callable[[Site], None],
    seconds: float,
) -> None:
    """Probe a static and the (warm) dynamic page of each site around an event."""
    pages = {"static": bench.tree.paths["50 kB"], "dynamic": bench.tree.hot}

    def page(site: Site, item: str) -> None:
        replies = web.probe(site.address, pages[item], RATE, seconds, EVENT_PATIENCE)
        bench.results.add(Cell(scenario, item, 0, site.variant.name), **_figures(replies))

    for site in sites:
        bench.wait(site)
    with ThreadPoolExecutor(3 * len(sites)) as pool:
        jobs = [pool.submit(page, site, item) for site in sites for item in pages]
        jobs += [pool.submit(event, site) for site in sites]
        for job in jobs:
            job.result()


def half(bench: Bench) -> None:
    """Probes of a static page while many requests hang that were sent by half."""
    sites = bench.up(STACKS)
    for number in range(bench.effort.fault_rounds):
        for name in bench.in_turn(number, STACKS):
            address = sites[name].address
            with web.held(address, bench.effort.half_sent, HALF_A_REQUEST) as still_open:
                held = still_open()
                replies = web.probe(address, bench.tree.paths["2 kB"], RATE, bench.effort.probed(5))
            cell = Cell("half", f"static, {bench.effort.half_sent} half-sent", 0, name)
            bench.results.add(cell, **_figures(replies), held=held)
            bench.wait(sites[name])


def worker(bench: Bench) -> None:
    """Full load while a worker of the application is killed."""
    sites = bench.up(STACKS)
    pages = {"static": bench.tree.paths["50 kB"], "dynamic": bench.tree.hot}
    for number in range(bench.effort.fault_rounds):
        for item, path in pages.items():
            for name in bench.in_turn(number, STACKS):
                site = sites[name]
                timer = threading.Timer(0.7, _kill_a_worker, (bench, site))
                timer.start()
                load = bench.load(site, path, 16, seconds=2)
                timer.join()
                figures = {**load.figures(), "asked": load.requests}
                bench.results.add(Cell("worker", item, 16, name), **figures)
                bench.wait(site)


def _kill_a_worker(bench: Bench, site: Site) -> None:
    """The first process that the application's first process has started."""
    processes = bench.stage.processes(site.containers["app"])
    inside = {process for process, _ in processes}
    masters = {process for process, parent in processes if parent not in inside}
    workers = sorted(process for process, parent in processes if parent in masters)
    if workers:
        os.kill(workers[0], signal.SIGKILL)


def cold(bench: Bench) -> None:
    """From the order to start both containers to the first static and dynamic page."""
    for number in range(bench.effort.fault_rounds):
        for name in bench.in_turn(number, STACKS):
            if name in bench.sites:
                bench.down(name)
            made = bench.stage.create(bench.variants[name])
            start = time.monotonic()
            bench.stage.ask("start", *made.values())
            site = bench.sites[name] = bench.stage.site(bench.variants[name], made)
            for item, path in (("static", bench.tree.paths["2 kB"]), ("dynamic", bench.tree.hot)):
                web.wait_for(site.address, path)
                cell = Cell("cold", item, 0, name)
                bench.results.add(cell, seconds=time.monotonic() - start)


# Scenarios in which no static page of the generated stack may fail.
STATIC_NEVER_FAILS = ("busy", "frozen", "gone", "half", "worker", "static", "idle")


def static_failures(
    results: Mapping[Cell, Sequence[Mapping[str, float]]],
) -> float | None:
    """How many answers of static pages failed on the generated stack; None: not measured."""
    counts = [
        figures["failed"]
        for cell, rounds in results.items()
        if cell.variant == GENERATED
        and cell.scenario in STATIC_NEVER_FAILS
        and cell.item != "dynamic"
        for figures in rounds
        if "failed" in figures
    ]
    return sum(counts) if counts else None
