"""The machine that is measured on: its processors, what is installed, what else runs."""

from __future__ import annotations

import os
import resource
from dataclasses import dataclass

from benchmarks.common import machine
from spinstack.images.engine import Engine
from spinstack.transport.command import Command
from spinstack.transport.runner import Runner


@dataclass(frozen=True)
class Processors:
    """Which processor the servers get and which the clients; -1: whichever is free, on a
    machine that has one only."""

    server: int
    client: int

    @property
    def pinned(self) -> bool:
        return self.server >= 0


def take_processors() -> Processors:
    """Share the processors out, and keep this process and its children to the clients'."""
    if not hasattr(os, "sched_getaffinity"):
        return Processors(-1, -1)
    mine = sorted(os.sched_getaffinity(0))
    if len(mine) < 2:
        return Processors(-1, -1)
    os.sched_setaffinity(0, {mine[1]})
    return Processors(mine[0], mine[1])


def allow_files(wanted: int = 8192) -> int:
    """How many files this process may now have open: `wanted`, or what the system allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    limit = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft < limit:
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
    return max(soft, limit)


def describe(runner: Runner, engine: Engine, processors: Processors) -> dict[str, object]:
    """What somebody needs to know who compares these figures with their own."""
    version = runner.run(engine.command("version", "--format", "{{.Server.Version}}"), timeout=60)
    others = runner.run(engine.command("ps", "--quiet"), timeout=60).stdout.split()
    return {
        **machine.describe(),
        "server_core": processors.server,
        "client_core": processors.client,
        "engine": f"{engine.name} {version.stdout.strip()}",
        "wrk": _wrk_version(runner),
        "other_containers": len(others),
    }


def doubts(described: dict[str, object]) -> list[str]:
    """Why these figures may say less than they should."""
    found = machine.doubts(described)
    if described["server_core"] == -1:
        found.append("one processor only: servers and clients share it, nothing is pinned")
    if described["other_containers"]:
        found.append(
            f"{described['other_containers']} other containers run; those of the same image "
            "lower its share of memory (PSS)"
        )
    return found


def _wrk_version(runner: Runner) -> str:
    # It prints its version, then how it is used, and exits with 1.
    words = runner.run(Command("wrk", "--version"), timeout=20, changes=False).stdout.split()
    return words[1] if len(words) > 1 else ""
