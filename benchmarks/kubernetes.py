"""`python -m benchmarks.kubernetes`: whole commands on a Kubernetes of this machine, against
kubectl and Helm with the same manifests. Prints the goals, writes tables and a chart.

Needs root on Linux, an engine and docker-registry; the cluster is that of tests/cluster, whose
first build takes minutes.
"""

from __future__ import annotations

import sys

from benchmarks.cluster.run import run
from benchmarks.common.program import main

if __name__ == "__main__":
    sys.exit(main("kubernetes", __doc__, run, rounds=5))
