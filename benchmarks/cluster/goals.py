"""The goals on a Kubernetes, each with what was measured for it. Pure."""

from __future__ import annotations

from benchmarks.cluster import ways
from benchmarks.common.figures import Rounds
from benchmarks.common.goals import AT_MOST, Goal

TIMES = "× as long"


def goals(results: Rounds) -> list[Goal]:
    """Every goal."""

    def ratio(name: str, limit: float, way: str, to: str, metric: str = "seconds") -> Goal:
        return Goal(name, AT_MOST, limit, TIMES, results.ratio(way, to, metric))

    def calls(name: str, limit: int, way: str) -> Goal:
        return Goal(f"calls of kubectl, {name}", AT_MOST, limit, "calls",
                    results.largest(way, "calls"))  # fmt: skip

    change = "a change of one file"
    ends, serves = "to the end of the command", "to the first new answer"
    return [
        Goal("invoke deploy with nothing to do, as typed", AT_MOST, 2, "s",
             results.spread(ways.NOTHING, "seconds")),
        ratio("invoke status as typed, against `kubectl get deployments,pods` and the start of "
              "invoke", 1.3, ways.STATUS, ways.GET_AND_START),
        calls("invoke status", 2, ways.STATUS),
        calls("invoke deploy with nothing to do", 4, ways.NOTHING),
        ratio(f"{change}, {ends}, against kubectl apply and rollout status", 1.2,
              ways.CHANGE, ways.CHANGE_KUBECTL),
        ratio(f"{change}, {serves}, against kubectl apply and rollout status", 1.2,
              ways.CHANGE, ways.CHANGE_KUBECTL, "serves"),
        ratio(f"{change}, {ends}, against helm upgrade --wait", 1.2,
              ways.CHANGE, ways.CHANGE_HELM),
        ratio(f"{change}, {serves}, against helm upgrade --wait", 1.2,
              ways.CHANGE, ways.CHANGE_HELM, "serves"),
    ]  # fmt: skip
