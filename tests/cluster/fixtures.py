"""pytest's fixtures: `cluster`, one for all the tests of a session, and `namespace`, one for each
test."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from . import at_hand, available, build
from .cluster import Cluster
from .people import Namespace, make_namespace
from .sharing import shared


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster of one node, shared by all the workers of pytest-xdist; or that which
    SPINSTACK_TEST_CONTEXT names. Where none can be had, the test is skipped, in CI too."""
    if at_hand.context():
        yield at_hand.cluster()
        return
    if reason := available.reason():
        pytest.skip(reason)
    session = os.environ.get("PYTEST_XDIST_TESTRUNUID", f"{os.getpid()}")
    try:
        with shared(f"tests-{session[:8]}") as made:
            yield made
    except build.CannotFetch as error:
        pytest.skip(f"a cluster can't be built here: {error}")


@pytest.fixture
def namespace(cluster: Cluster, tmp_path: Path) -> Iterator[Namespace]:
    """A fresh namespace with the kubeconfig of a person who may work in it alone."""
    made = make_namespace(cluster, f"test-{uuid.uuid4().hex[:8]}", tmp_path)
    try:
        yield made
    finally:
        made.remove()
