"""A deploy to a real Kubernetes in whose middle something ends: a part of the cluster, the command
itself, or the person's login. Nothing is lost, and the next deploy finishes it."""

from __future__ import annotations

import json
import signal

import pytest

from tests.cluster.people import write_kubeconfig

from .kube_faults import answers, begun, conf, ended, until
from .kube_stage import TO, KubeStage
from .stage import Typed

pytestmark = pytest.mark.real("engine", "registry", "root")


@pytest.fixture(scope="module")
def first(kube_stage: KubeStage) -> Typed:
    return kube_stage.done("deploy", *TO)


def outcomes(stage: KubeStage) -> list[str]:
    told = json.loads(stage.done("history", "--json", *TO).out)
    return [str(one["outcome"]) for one in told]


@pytest.mark.parametrize("component", ["apiserver", "kubelet"])
def test_a_component_that_is_restarted_in_the_middle_is_waited_for(
    kube_stage: KubeStage, first: Typed, component: str
) -> None:
    with conf(kube_stage, f"# {component} restarted"):
        process = begun(kube_stage, "deploy")
        until(process, "✓ upgrade")
        kube_stage.cluster.restart(component)
        told = ended(process)
    assert told.code == 0, told
    assert answers(kube_stage)


@pytest.mark.parametrize("step", ["upgrade", "ask the site"])
def test_the_command_that_was_killed_is_finished_by_the_same_command_at_once(
    kube_stage: KubeStage, first: Typed, step: str
) -> None:
    with conf(kube_stage, f"# killed after {step}"):
        process = begun(kube_stage, "deploy")
        until(process, f"✓ {step} ")
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert answers(kube_stage)
        finished = kube_stage.done("deploy", *TO)
    assert finished.out == first.out
    assert "took over the stale lock of alice" in finished.err, finished
    assert "waiting for a heartbeat" not in finished.err, finished
    assert outcomes(kube_stage)[-1] == "done"


def test_on_another_machine_the_lock_of_a_killed_command_is_waited_for(
    kube_stage: KubeStage, first: Typed
) -> None:
    with conf(kube_stage, "# killed elsewhere"):
        process = begun(kube_stage, "deploy")
        until(process, "✓ upgrade")
        process.send_signal(signal.SIGKILL)
        process.wait()
        elsewhere = ("unshare", "--uts", "sh", "-c", 'hostname elsewhere; exec "$@"', "sh")
        told = ended(begun(kube_stage, "deploy", before=elsewhere))
    assert told.code == 0, told
    assert "waiting for a heartbeat: without one, the lock ends within 60 s" in told.err, told
    assert "took over the stale lock of alice" in told.err
    assert answers(kube_stage)


def test_who_waits_for_a_command_that_lives_is_told_so(kube_stage: KubeStage, first: Typed) -> None:
    """Or, if it is over meanwhile, finds that there is nothing to do."""
    with conf(kube_stage, "# alive"):
        process = begun(kube_stage, "deploy")
        until(process, "✓ render ")
        waiting = begun(kube_stage, "deploy")
        both = [ended(one) for one in (process, waiting)]
    assert both[0].code == 0, both
    assert both[1].code == 0 or "locked by alice" in both[1].err, both


def test_a_token_that_ends_too_early_is_refused_before_anything_is_changed(
    kube_stage: KubeStage, first: Typed
) -> None:
    path = kube_stage.namespace.kubeconfig
    kept = path.read_text()
    before = outcomes(kube_stage)
    write_kubeconfig(kube_stage.cluster, kube_stage.namespace.name, path, 60)
    try:
        with conf(kube_stage, "# late"):
            told = kube_stage.invoke("deploy", *TO)
        assert told.code == 1 and "token in the kubeconfig ends in" in told.err, told
        assert "nothing was changed" in told.err
        write_kubeconfig(kube_stage.cluster, kube_stage.namespace.name, path, -60)
        told = kube_stage.invoke("status", *TO)
        assert told.code == 1 and "kubeconfig" in told.err, told
    finally:
        path.write_text(kept)
    assert outcomes(kube_stage) == before


def test_a_token_that_ends_in_the_middle_leaves_what_the_next_deploy_finishes(
    kube_stage: KubeStage, first: Typed
) -> None:
    path = kube_stage.namespace.kubeconfig
    kept = path.read_text()
    with conf(kube_stage, "# its token ends"):
        process = begun(kube_stage, "deploy")
        until(process, "✓ upgrade")
        write_kubeconfig(kube_stage.cluster, kube_stage.namespace.name, path, -60)
        try:
            told = ended(process)
        finally:
            path.write_text(kept)
        assert told.code == 1, told
        assert "the cluster does not accept the token in the kubeconfig" in told.err, told
        assert answers(kube_stage)
        finished = kube_stage.done("deploy", *TO)
    assert finished.out == first.out
    assert outcomes(kube_stage)[-1] == "done"
