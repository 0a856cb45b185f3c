"""A cluster by hand.

python -m tests.cluster start [NAME]      prints how to use it
python -m tests.cluster stop [NAME]
python -m tests.cluster restart COMPONENT [NAME]
python -m tests.cluster load ARCHIVE [NAME]
python -m tests.cluster namespace NAMESPACE [NAME]
python -m tests.cluster list
"""

from __future__ import annotations

import sys
from pathlib import Path

from . import available, place, start
from .cluster import Cluster, running
from .people import make_namespace

DEFAULT = "hand"


def main(words: list[str]) -> None:
    verb, more = (words[0], words[1:]) if words else ("help", [])
    if verb == "start":
        _start(*more)
    elif verb == "stop":
        start.stop(_find(*more).place)
    elif verb == "restart":
        _find(*more[1:]).restart(more[0])
    elif verb == "load":
        _find(*more[1:]).load(Path(more[0]))
    elif verb == "namespace":
        made = make_namespace(_find(*more[1:]), more[0])
        print(f"export KUBECONFIG={made.kubeconfig}")
    elif verb == "list":
        for at in place.all_places():
            print(at.name, at.address, "dead" if start.is_dead(at) else "running")
    else:
        sys.exit(__doc__)


def _start(name: str = DEFAULT) -> None:
    if reason := available.reason():
        sys.exit(reason)
    cluster = start.start(name)
    print(f"export PATH={cluster.place.programs}:$PATH KUBECONFIG={cluster.place.admin_kubeconfig}")
    print(f"# ingress: {cluster.ingress}, ports 80 and 443; this machine for pods: {cluster.host}")


def _find(name: str = DEFAULT) -> Cluster:
    at = place.find(name)
    if at is None:
        sys.exit(f"no cluster {name} in {place.ROOT}")
    return running(at)


if __name__ == "__main__":
    main(sys.argv[1:])
