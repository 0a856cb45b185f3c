"""`python -m benchmarks.serving`: measure, print the goals, write tables and chart."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks.common.outcome import RESULTS, document, show, write
from benchmarks.serving.bench import QUICK, Effort
from benchmarks.serving.run import SCENARIOS, run, told
from spinstack.errors import SpinstackError


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code: 0 measured (goals met or not), 1 failed, 2 wrong use."""
    given = _parser().parse_args(arguments)
    effort = QUICK if given.quick else Effort()
    if given.rounds:
        effort = replace(effort, rounds=given.rounds, fault_rounds=given.rounds)
    if given.seconds:
        effort = replace(effort, seconds=given.seconds)
    # Whoever ends it politely gets the same clean-up as with Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        outcome = told(run(effort, given.only, given.log_driver, _say))
        show(outcome, print)
        whole = not given.quick and not given.only
        if given.output or whole:
            write(outcome, Path(given.output or RESULTS))
        if whole and not given.output:
            document(outcome)
    except SpinstackError as error:
        if error.details:
            _say(error.details)
        _say(str(error))
        return error.exit_code
    except KeyboardInterrupt:
        _say("stopped; what was started is removed")
        return 1
    return 0


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.serving", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a smoke run on a small tree")
    parser.add_argument(
        "--only",
        action="append",
        default=[],
        metavar="NAME",
        help=f"this scenario only, may be repeated: {', '.join(SCENARIOS)}",
    )
    parser.add_argument("--rounds", type=int, help="rounds of everything (default: 5)")
    parser.add_argument("--seconds", type=int, help="seconds of each cell (default: 1)")
    parser.add_argument(
        "--log-driver",
        default="none",
        help="the engine's log driver for the containers; `default`: the engine's own",
    )
    parser.add_argument(
        "--output",
        help="directory for the results; without it only a whole run writes any, into "
        "benchmarks/results and docs/performance.md",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
