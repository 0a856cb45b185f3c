"""The goals of the remote side, each with what was measured for it. Pure."""

from __future__ import annotations

from benchmarks.common.figures import Rounds
from benchmarks.common.goals import AT_LEAST, AT_MOST, Goal
from benchmarks.far import ways

TIMES = "× as long"
FASTER = "× faster"


def goals(results: Rounds) -> list[Goal]:
    """Every goal, in the order of the reasons for them."""
    parts = (_deploy, _sessions, _nothing, _tasks)
    return [goal for part in parts for goal in part(results)]


def _deploy(results: Rounds) -> list[Goal]:
    def ratio(name: str, limit: float, way: str, to: str) -> Goal:
        return Goal(name, AT_MOST, limit, TIMES, results.ratio(way, to, "seconds"))

    def faster(name: str, limit: float, way: str, than: str) -> Goal:
        return Goal(name, AT_LEAST, limit, FASTER, results.ratio(than, way, "seconds"))

    return [
        ratio("deploy, OpenSSH wire, against `ssh host true`", 1.3, ways.OURS_COLD, ways.TRUE),
        ratio("deploy, Fabric wire, against Fabric's open() and run('true')", 1.3,
              ways.OURS_FABRIC, ways.FABRIC_TRUE),
        faster("deploy, OpenSSH wire, than Fabric with 15 run() and 12 put()", 5,
               ways.OURS_COLD, ways.FABRIC_15),
        faster("deploy, Fabric wire, than Fabric with 15 run() and 12 put()", 5,
               ways.OURS_FABRIC, ways.FABRIC_15),
        faster("deploy, OpenSSH wire, than 15 × `ssh host command`", 10,
               ways.OURS_COLD, ways.SSH_15),
        ratio("deploy with the master there, against the one that opened it", 0.25,
              ways.OURS_WARM, ways.OURS_COLD),
    ]  # fmt: skip


def _sessions(results: Rounds) -> list[Goal]:
    kinds = {
        "OpenSSH wire, no master yet": ways.OURS_COLD,
        "OpenSSH wire, master there": ways.OURS_WARM,
        "Fabric wire": ways.OURS_FABRIC,
    }
    return [
        Goal(f"sessions of a deploy, {kind}, by sshd's log", AT_MOST, 2, "sessions",
             results.largest(way, "sessions"))
        for kind, way in kinds.items()
    ]  # fmt: skip


def _nothing(results: Rounds) -> list[Goal]:
    """The round trips of `true` are those of opening a session, which any command needs."""
    trips = results.difference(ways.NOTHING_WARM, ways.WARM_TRUE, "round_trips")
    return [
        Goal("invoke deploy with nothing to do, as typed, OpenSSH wire, master there",
             AT_MOST, 2, "s", results.spread(ways.NOTHING_WARM, "seconds")),
        Goal("invoke deploy with nothing to do, as typed, Fabric wire",
             AT_MOST, 2, "s", results.spread(ways.NOTHING_FABRIC, "seconds")),
        Goal("invoke deploy with nothing to do, round trips more than `ssh host true`, master "
             "there", AT_MOST, 1, "round trips", trips),
    ]  # fmt: skip


def _tasks(results: Rounds) -> list[Goal]:
    found = []
    for task in ways.TASKS:
        for kind, wire in (("warm", "OpenSSH wire, master there"), ("fabric", "Fabric wire")):
            measured = results.ratio(ways.ours(task, kind), ways.bare(task, kind), "seconds")
            name = f"{task}, {wire}, without Python's start, against the bare script"
            found.append(Goal(name, AT_MOST, 1.2, TIMES, measured))
        if task != "render":
            cold = results.ratio(ways.ours(task, "cold"), ways.bare(task, "cold"), "seconds")
            name = f"`invoke {task}` as typed, no master yet, against `ssh host script`"
            found.append(Goal(name, AT_MOST, 1.2, TIMES, cold))
    return found
