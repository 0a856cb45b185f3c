"""The goals, each with what was measured for it and whether that meets it. Pure."""

from __future__ import annotations

from benchmarks.common.figures import Spread, single
from benchmarks.common.goals import AT_LEAST, AT_MOST, LESS_THAN, Goal
from benchmarks.serving.faults import static_failures
from benchmarks.serving.figures import GENERATED, NGINX, TUTORIAL, Cell, Results
from benchmarks.serving.traffic import MIX

# Below this a p99 is what the machine's other work makes of it; ms.
P99_FLOOR = 50.0
TIMES_TUTORIAL, TIMES_NGINX = "× the tutorial's", "× bare nginx"


def goals(results: Results) -> list[Goal]:
    """Every goal, in the order of the reasons for them."""
    return [
        *_throughput(results),
        *_faults(results),
        *_bytes_and_memory(results),
        *_images(results),
    ]


def _ratio(
    results: Results, scenario: str, item: str, connections: int, metric: str, to: str = TUTORIAL
) -> Spread | None:
    ours = Cell(scenario, item, connections, GENERATED)
    return results.ratio(ours, ours._replace(variant=to), metric)


def _throughput(results: Results) -> list[Goal]:
    static = (("50 kB", 20.0), (MIX, 12.0), ("1 MB", 5.0))
    hot = _ratio(results, "dynamic", "hot dynamic page", 16, "rate")
    against_tutorial = [
        Goal(
            f"static {item}, 16 connections, requests/s against the tutorial's stack",
            AT_LEAST, limit, TIMES_TUTORIAL, _ratio(results, "static", item, 16, "rate"),
        )
        for item, limit in static
    ]  # fmt: skip
    against_nginx = [
        Goal(
            f"static {item}, 16 connections, requests/s against bare nginx",
            AT_LEAST, 0.9, TIMES_NGINX, _ratio(results, "static", item, 16, "rate", NGINX),
        )
        for item, _ in static
    ]  # fmt: skip
    name = "one hot dynamic page, 16 connections, requests/s against the tutorial's stack"
    return [*against_tutorial, *against_nginx, Goal(name, AT_LEAST, 50, TIMES_TUTORIAL, hot)]


def _faults(results: Results) -> list[Goal]:
    busy, idle = (
        Cell("busy", item, 0, GENERATED) for item in ("all workers busy", "idle application")
    )
    own = results.spread(idle, "p99")
    limit = max(P99_FLOOR, 2 * own.median) if own else P99_FLOOR
    against = _ratio(results, "busy", "all workers busy", 0, "p99")
    failed = static_failures(results.rounds)
    half = next((cell for cell in results.rounds if cell.scenario == "half"), busy)
    refused = results.values(half._replace(variant=GENERATED), "failed")
    return [
        Goal("static p99 with all workers busy, against the tutorial's stack",
             AT_MOST, 0.01, TIMES_TUTORIAL, against),
        Goal("static p99 with all workers busy (limit: twice its own idle p99, or 50 ms)",
             AT_MOST, limit, "ms", results.spread(busy, "p99")),
        Goal("failed answers of the warm dynamic page, application frozen for 3 s",
             AT_MOST, 0, "answers", _sum(results, "frozen")),
        Goal("failed answers of the warm dynamic page, application gone",
             AT_MOST, 0, "answers", _sum(results, "gone")),
        Goal("failed answers of static pages, in every scenario",
             AT_MOST, 0, "answers", single(failed)),
        Goal("probes refused while half-sent requests hang (all rounds)",
             AT_MOST, 0, "probes", single(sum(refused) if refused else None)),
    ]  # fmt: skip


def _sum(results: Results, scenario: str) -> Spread | None:
    values = results.values(Cell(scenario, "dynamic", 0, GENERATED), "failed")
    return single(sum(values) if values else None)


def _bytes_and_memory(results: Results) -> list[Goal]:
    return [
        Goal("HTML to a client that takes gzip, bytes on the wire (2 kB, 50 kB and 1 MB page)",
             AT_MOST, 1 / 3, TIMES_TUTORIAL, _wire(results)),
        Goal("compressed once: requests/s with gzip against without, 50 kB, 16 connections",
             AT_LEAST, 0.5, "× without gzip", _compressed_once(results)),
        Goal("memory (PSS), each stack alone under the same load",
             AT_MOST, 0.9, TIMES_TUTORIAL, _ratio(results, "memory", "PSS", 0, "mib")),
    ]  # fmt: skip


def _compressed_once(results: Results) -> Spread | None:
    """Compressing each answer anew costs several times the answer; 0 if none is compressed."""
    plain, packed = (Cell("gzip", f"50 kB, {kind}", 16, GENERATED) for kind in ("plain", "gzip"))
    sizes = results.ratio(packed, plain, "bytes")
    if sizes and sizes.median > 0.5:
        return single(0.0)
    return results.ratio(packed, plain, "rate")


def _wire(results: Results) -> Spread | None:
    sums = {TUTORIAL: 0.0, GENERATED: 0.0}
    for variant in sums:
        for item in ("2 kB", "50 kB", "1 MB"):
            sums[variant] += sum(results.values(Cell("wire", item, 0, variant), "gzip"))
    return single(sums[GENERATED] / sums[TUTORIAL]) if sums[TUTORIAL] else None


def _images(results: Results) -> list[Goal]:
    # The tutorial's rebuild is made once, ours several times: medians, not rounds.
    ours, theirs = (
        results.spread(Cell("rebuild", "app", 0, variant), "seconds")
        for variant in (GENERATED, TUTORIAL)
    )
    rebuild = None
    if ours and theirs:
        by = theirs.median
        rebuild = Spread(ours.median / by, ours.low / by, ours.high / by, ours.count)
    return [
        Goal("size of the application's image",
             AT_MOST, 0.4, TIMES_TUTORIAL, _ratio(results, "image", "app", 0, "mb")),
        Goal("rebuild after one line of app.py changed",
             AT_MOST, 1 / 30, TIMES_TUTORIAL, rebuild),
        Goal("pushed after one line of app.py changed",
             LESS_THAN, 100, "kB", results.spread(Cell("push", "app", 0, GENERATED), "kb")),
    ]  # fmt: skip
