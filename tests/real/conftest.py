"""What the tests with real parts share."""

from __future__ import annotations

from tests.cluster.fixtures import cluster, namespace

from .kube_stage import kube_stage
from .small_site import small
from .stage import first_deploy, site, stage

__all__ = ["cluster", "first_deploy", "kube_stage", "namespace", "site", "small", "stage"]
