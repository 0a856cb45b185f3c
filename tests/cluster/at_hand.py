"""A cluster that somebody else runs, in place of the tests' own: that of the context which the
variable SPINSTACK_TEST_CONTEXT names, whose user may make namespaces and give roles."""

from __future__ import annotations

import base64
import json
import os
import shutil
from pathlib import Path

from . import place
from .cluster import Cluster, ClusterError, Kubectl

CONTEXT = "SPINSTACK_TEST_CONTEXT"
# The address of its ingress, if tests shall ask there.
INGRESS = "SPINSTACK_TEST_INGRESS"


def context() -> str:
    """The context's name, or nothing."""
    return os.environ.get(CONTEXT, "")


def cluster() -> Cluster:
    """Raises ClusterError without kubectl or such a context."""
    program = shutil.which("kubectl")
    if program is None:
        raise ClusterError(f"{CONTEXT} is set, but there is no kubectl")
    files = os.environ.get("KUBECONFIG", "") or f"{place.home()}/.kube/config"
    admin = Kubectl(Path(program), Path(files), context())
    view = ("config", "view", "--raw", "--minify", "--flatten", "--output", "json")
    told = json.loads(admin.run(*view))["clusters"][0]["cluster"]
    authority = base64.b64decode(told.get("certificate-authority-data", ""))
    return Cluster(admin, told["server"], authority, os.environ.get(INGRESS, ""), None)
