"""A deploy to a real Kubernetes that does not come up: its cause is told in one sentence, what ran
before runs again, and the site answers all the while."""

from __future__ import annotations

import json
import time

import pytest

from .kube_faults import conf, failed, sentence, settings, web
from .kube_stage import TO, KubeStage
from .stage import Typed

pytestmark = pytest.mark.real("engine", "registry", "root")


@pytest.fixture(scope="module")
def first(kube_stage: KubeStage) -> Typed:
    return kube_stage.done("deploy", *TO)


def test_an_image_that_is_not_there_is_told_long_before_the_time_is_up(
    kube_stage: KubeStage, first: Typed
) -> None:
    image = f"{kube_stage.registry}/no/x:1"
    with web(kube_stage, image=image):
        began = time.monotonic()
        told = failed(kube_stage)
    assert time.monotonic() - began < 60, told
    assert sentence(told).startswith("error: web failed: "), told
    assert f"{image}: not found" in sentence(told)
    assert "cause: the registry has no such image" in told.err
    noted = json.loads(kube_stage.done("history", "--json", *TO).out)
    assert noted[-1]["outcome"] == "taken back", noted[-1]


def test_a_program_that_is_not_there_is_told_long_before_the_time_is_up(
    kube_stage: KubeStage, first: Typed
) -> None:
    with web(kube_stage, entrypoint="no-such-program"):
        began = time.monotonic()
        told = failed(kube_stage)
    assert time.monotonic() - began < 60, told
    assert "cause: the image has no program no-such-program" in told.err, told


def test_a_container_that_crashes_is_told_with_what_it_said_last(
    kube_stage: KubeStage, first: Typed
) -> None:
    with web(kube_stage, entrypoint="sh -c 'echo no colour today; sleep 1; exit 3'"):
        told = failed(kube_stage)
    assert "exit code 3" in sentence(told), told
    assert "no colour today" in told.err, told


def test_a_health_check_that_is_not_answered_is_told_with_the_answer(
    kube_stage: KubeStage, first: Typed
) -> None:
    wrong = {"path": "/no.html", "start_within": 4}
    with settings(kube_stage, health=wrong, healthy_within=20):
        told = failed(kube_stage)
    assert "statuscode: 404" in sentence(told), told
    assert "cause: the service does not respond to its health check" in told.err, told


def test_a_page_that_fails_is_told_with_its_address_and_number(
    kube_stage: KubeStage, first: Typed
) -> None:
    """All containers are healthy, and the new version serves until it is taken back."""
    with settings(kube_stage, probe_path="/no.html", healthy_within=15), conf(kube_stage, "# 404"):
        told = kube_stage.invoke("deploy", *TO)
    assert told.code == 1, told
    assert "the site is not responding correctly" in sentence(told)
    assert "the previous version is running again" in sentence(told)
    assert f"{kube_stage.site}no.html: 404 from this machine" in told.err


def test_a_quota_without_room_is_told_with_what_is_missing(
    kube_stage: KubeStage, first: Typed
) -> None:
    """One that shows only when pods are made: it has a scope, and is not judged before."""
    quota = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "few", "namespace": kube_stage.namespace.name},
        "spec": {"hard": {"pods": "2"}, "scopes": ["NotTerminating"]},
    }
    kube_stage.cluster.admin.apply(quota)
    try:
        with conf(kube_stage, "# one more"):
            told = failed(kube_stage)
    finally:
        where = ("--namespace", kube_stage.namespace.name)
        kube_stage.cluster.admin.run("delete", "resourcequota", "few", *where)
    assert "exceeded quota: few" in sentence(told), told
    assert "cause: the namespace's quota few has no room for pods=1 more" in told.err


def test_a_mounted_directory_that_is_missing_is_named(kube_stage: KubeStage, first: Typed) -> None:
    """A parent that is closed to the node looks the same there, but can't be had here: this node
    is root, whom local file systems let in everywhere."""
    missing = kube_stage.files / "no" / "such"
    before = time.monotonic()
    with web(kube_stage, volumes=[f"{missing}:/srv/static:ro"]):
        told = failed(kube_stage)
    # Not all of healthy_within, which is minutes.
    assert time.monotonic() - before < 90
    assert "FailedMount" in sentence(told), told
    assert f"cause: {missing} does not exist on the node" in told.err
