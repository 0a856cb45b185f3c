"""`python -m benchmarks.remote`: deploys and tasks over a line of 40 ms, against bare ssh,
OpenSSH with a master, plain Fabric and Ansible. Prints the goals, writes tables and a chart.

Needs root: two network namespaces are joined by a program that holds each packet for 20 ms.
"""

from __future__ import annotations

import sys

from benchmarks.common.program import main
from benchmarks.far.run import run

if __name__ == "__main__":
    sys.exit(main("remote", __doc__, run, rounds=5))
