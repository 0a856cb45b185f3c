"""Many requests on a number of connections, as fast as they go: wrk, and what it reports."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.serving.web import Address
from spinstack.errors import SpinstackError
from spinstack.transport.command import Command
from spinstack.transport.runner import Runner

SCRIPTS = Path(__file__).resolve().parent / "wrk"


@dataclass(frozen=True)
class Load:
    """What wrk measured. `failed`: answers that were not 2xx or 3xx, that were cut short or
    that did not come; `wire`: bytes received, headers and bodies; p50 and p99 in ms."""

    requests: int
    seconds: float
    wire: int
    p50: float
    p99: float
    failed: int

    @property
    def rate(self) -> float:
        """Good answers a second."""
        return max(0, self.requests - self.failed) / self.seconds

    def figures(self) -> dict[str, float]:
        """For the results of a cell."""
        return {
            "rate": self.rate,
            "p50": self.p50,
            "p99": self.p99,
            "bytes": self.wire / self.requests if self.requests else 0.0,
            "failed": self.failed,
        }


def parse(output: str) -> Load:
    """From what report.lua printed. Raises SpinstackError if it did not."""
    line = next((line for line in output.splitlines() if line.startswith('{"requests"')), None)
    if line is None:
        raise SpinstackError(
            "wrk has reported nothing",
            remedy="read what it printed above",
            details=output.strip()[-800:],
        )
    told: dict[str, int] = json.loads(line)
    errors = sum(told[kind] for kind in ("connect", "read", "write", "timeout", "status"))
    return Load(
        requests=told["requests"],
        seconds=told["microseconds"] / 1e6,
        wire=told["bytes"],
        p50=told["p50"] / 1000,
        p99=told["p99"] / 1000,
        failed=errors,
    )


@dataclass(frozen=True)
class Driver:
    """Runs wrk with one thread, on the processors that this process may use."""

    runner: Runner

    def run(
        self,
        address: Address,
        paths: Path | str,
        connections: int,
        seconds: float,
        headers: Mapping[str, str] | None = None,
    ) -> Load:
        """Ask for one path, or for random lines of a file of paths. Whole seconds only."""
        mixed = isinstance(paths, Path)
        script = SCRIPTS / ("mix.lua" if mixed else "report.lua")
        url = f"http://{address[0]}:{address[1]}{'/' if mixed else paths}"
        words: Sequence[str] = (
            *("wrk", "--threads", "1", "--connections", str(connections)),
            *("--duration", f"{max(1, round(seconds))}s", "--timeout", "30s"),
            *("--latency", "--script", str(script)),
            *(word for item in (headers or {}).items() for word in ("--header", ": ".join(item))),
            url,
        )
        env = {"WRK_PATHS": os.fspath(paths), "WRK_REPORT": str(SCRIPTS / "report.lua")}
        done = self.runner.run(Command(*words), env=env, timeout=seconds + 60)
        return parse(done.stdout + done.stderr)
