"""Deploys to a real Kubernetes, every other of which fails, while visitors ask all the time.

With SPINSTACK_TEST_DEPLOYS=20 as many deploys as before a release; a few otherwise.
"""

from __future__ import annotations

import os

import pytest

from .kube_faults import Visitors, conf, failed, variable, web
from .kube_stage import TO, KubeStage
from .stage import Typed

pytestmark = pytest.mark.real("engine", "registry", "root")

DEPLOYS = int(os.environ.get("SPINSTACK_TEST_DEPLOYS", "2"))
# Requests a second.
RATE = 50


@pytest.fixture(scope="module")
def first(kube_stage: KubeStage) -> Typed:
    return kube_stage.done("deploy", *TO)


def test_deploys_of_which_every_other_fails_cost_no_request(
    kube_stage: KubeStage, first: Typed
) -> None:
    # Half of the requests are answered by app.
    visitors = Visitors([f"{kube_stage.site}{page}" for page in ("nights.html", "readyz")], RATE)
    try:
        with visitors.at_work():
            for number in range(DEPLOYS // 2):
                # Web alone, and both.
                good = (
                    conf(kube_stage, f"# {number}") if number % 2 else variable(kube_stage, "V=1")
                )
                with good:
                    kube_stage.done("deploy", *TO)
                with web(kube_stage, image=f"{kube_stage.registry}/no/x:{number}"):
                    failed(kube_stage)
    finally:
        print(f"{visitors.good} good answers, failed: {visitors.failed}")
    assert visitors.good > DEPLOYS * 5 * RATE and not visitors.failed, visitors
