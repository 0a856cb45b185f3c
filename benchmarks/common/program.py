"""A benchmark as a program: its options, its exit code, what it writes where."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from benchmarks.common.outcome import RESULTS, Outcome, document, show, write
from spinstack.errors import SpinstackError


class Run(Protocol):
    """Measures so many rounds."""

    def __call__(self, rounds: int, *, quick: bool, say: Callable[[str], None]) -> Outcome: ...


def main(
    name: str, about: str | None, run: Run, *, rounds: int, arguments: Sequence[str] | None = None
) -> int:
    """The exit code: 0 measured (goals met or not), 1 failed, 2 wrong use."""
    given = _parser(name, about, rounds).parse_args(arguments)
    # Whoever ends it politely gets the same clean-up as with Ctrl-C, which a shell may have
    # told its background jobs to ignore.
    for ended in (signal.SIGTERM, signal.SIGINT):
        signal.signal(ended, signal.default_int_handler)
    try:
        outcome = run(given.rounds or (1 if given.quick else rounds), quick=given.quick, say=say)
        show(outcome, print)
        if given.output or not given.quick:
            write(outcome, Path(given.output or RESULTS))
        if not given.output and not given.quick:
            document(outcome)
    except SpinstackError as error:
        if error.details:
            say(error.details)
        say(str(error))
        return error.exit_code
    except KeyboardInterrupt:
        say("stopped; what was started is removed")
        return 1
    return 0


def say(text: str) -> None:
    """Progress, beside the results."""
    print(text, file=sys.stderr, flush=True)


def _parser(name: str, about: str | None, rounds: int) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=f"python -m benchmarks.{name}", description=about)
    parser.add_argument("--quick", action="store_true", help="one round, to see that it works")
    parser.add_argument("--rounds", type=int, help=f"rounds of everything (default: {rounds})")
    parser.add_argument(
        "--output",
        help="directory for the results; without it a run that is not quick writes them into "
        "benchmarks/results and docs/performance.md",
    )
    return parser
