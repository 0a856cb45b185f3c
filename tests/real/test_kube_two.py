"""Two who change one stack in a real Kubernetes, and others who have had a hand in it."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import pytest
import yaml

from spinstack.config import settings as config_settings
from spinstack.platforms.kubernetes.platform import Kubernetes
from spinstack.remote.cluster.stack import ClusterStack
from spinstack.remote.errors import Locked
from spinstack.remote.owner import make_owner
from spinstack.transport.laptop.node import LaptopNode

from .kube_faults import begun, conf, ended, service
from .kube_stage import TO, KubeStage
from .stage import Typed

pytestmark = pytest.mark.real("engine", "registry", "root")

# How often the lock is wanted, and by how many at once.
TRIES, AT_ONCE = 100, 4


@pytest.fixture(scope="module")
def first(kube_stage: KubeStage) -> Typed:
    return kube_stage.done("deploy", *TO)


@dataclass
class Holders:
    """Those who have the lock, each in a thread. `most`: how many had it at once."""

    now: int = 0
    most: int = 0
    had: int = 0
    refused: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def come(self) -> None:
        with self._lock:
            self.now += 1
            self.had += 1
            self.most = max(self.most, self.now)

    def go(self) -> None:
        with self._lock:
            self.now -= 1

    def refuse(self) -> None:
        with self._lock:
            self.refused += 1


def stack_of(stage: KubeStage) -> ClusterStack:
    """The stack, over a shell of its own, without what a task does around it."""
    raw = yaml.safe_load((stage.stack / "invoke.yaml").read_text())
    found = config_settings.load(raw, stage.stack)
    to = found.destination("kube")
    assert to.kubernetes
    return ClusterStack(LaptopNode(), to, Kubernetes(to.kubernetes), found.stack, to.kubernetes)


@pytest.fixture
def kubectl(kube_stage: KubeStage, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The stack's kubectl, on this process's own PATH."""
    before = os.environ["PATH"]
    monkeypatch.setenv("PATH", f"{kube_stage.cluster.kubectl.parent}{os.pathsep}{before}")
    yield


def test_of_many_who_want_the_lock_at_once_never_two_have_it(
    kube_stage: KubeStage, first: Typed, kubectl: None
) -> None:
    holders = Holders()

    def want(number: int) -> None:
        stack = stack_of(kube_stage)
        try:
            for _ in range(TRIES // AT_ONCE):
                try:
                    stack.look(make_owner("alice", f"laptop-{number}", "deploy"))
                except Locked:
                    holders.refuse()
                    continue
                holders.come()
                stack.must_be_ours(now=True)
                holders.go()
                stack.unlock()
        finally:
            stack.node.close()

    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(want, range(AT_ONCE)))
    assert holders.had + holders.refused == TRIES
    assert holders.most == 1 and holders.had > 10, holders


@pytest.mark.parametrize("number", range(2))
def test_of_two_deploys_at_once_one_is_made_and_the_other_is_told(
    kube_stage: KubeStage, first: Typed, number: int
) -> None:
    with conf(kube_stage, f"# two at once {number}"):
        both = [ended(one) for one in [begun(kube_stage, "deploy") for _ in range(2)]]
    assert sorted(one.code for one in both) in ([0, 0], [0, 1]), both
    for one in both:
        made = "✓ upgrade" in one.err
        assert made == (one.code == 0 and "already up to date" not in one.err), one
        assert one.code == 0 or "locked by alice" in one.err, one
    assert sum("✓ upgrade" in one.err for one in both) == 1, both
    told = json.loads(kube_stage.done("history", "--json", *TO).out)
    assert told[-1]["outcome"] == "done", told[-1]


def test_an_object_made_by_hand_with_a_name_of_the_stack_is_not_taken_over(
    kube_stage: KubeStage, first: Typed
) -> None:
    extra = {"image": "${WEB_IMAGE}", "cap_drop": ["ALL"], "user": "${UID}:${GROUP_ID}"}
    kube_stage.kubectl("create", "deployment", "cache", f"--image={kube_stage.registry}/no/x:1")
    try:
        with service(kube_stage, "cache", **extra):
            told = kube_stage.invoke("deploy", *TO)
        left = kube_stage.kubectl("get", "deployment", "cache", "-o", "jsonpath={.metadata.labels}")
    finally:
        kube_stage.kubectl("delete", "deployment", "cache")
    assert told.code == 1 and "not the stack's own: Deployment cache" in told.err, told
    assert "nothing was changed" in told.err
    assert json.loads(left) == {"app": "cache"}


def test_a_field_that_somebody_has_changed_is_asked_about_and_taken_back_after_a_yes(
    kube_stage: KubeStage, first: Typed
) -> None:
    path = "jsonpath={.spec.template.spec.terminationGracePeriodSeconds}"
    before = kube_stage.kubectl("get", "deployment", "web", "-o", path)
    patch = '{"spec":{"template":{"spec":{"terminationGracePeriodSeconds":7}}}}'
    kube_stage.kubectl("patch", "deployment", "web", "--patch", patch)
    with conf(kube_stage, "# fields of others"):
        asked = kube_stage.invoke("deploy", *TO)
        assert asked.code == 2 and "terminationGracePeriodSeconds" in asked.err, asked
        assert kube_stage.kubectl("get", "deployment", "web", "-o", path) == "7"
        kube_stage.done("deploy", "--yes", *TO)
    assert kube_stage.kubectl("get", "deployment", "web", "-o", path) == before
