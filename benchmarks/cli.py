"""`python -m benchmarks.cli`: how long commands take that go nowhere, from `invoke --list` to
rendering a stack. Prints the goals, writes tables and a chart."""

from __future__ import annotations

import sys

from benchmarks.common.program import main
from benchmarks.typed.run import run

if __name__ == "__main__":
    sys.exit(main("cli", __doc__, run, rounds=12))
