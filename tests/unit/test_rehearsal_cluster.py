"""A rehearsal in a cluster, without one: which may be used, dry runs, what is written, failures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from spin_rehearsal import account, paths
from spin_rehearsal.kubernetes import at_hand, destination, places, start, stop
from spin_rehearsal.kubernetes.at_hand import Context
from spin_rehearsal.kubernetes.places import ID, State
from spin_rehearsal.paths import Places
from spinstack.config import settings
from spinstack.errors import SpinstackError, UsageError
from spinstack.rules.centre import load
from spinstack.transport.runner import PrintingRunner, RecordingRunner, Result

SPIN = load(platform="kubernetes")
KIND = ("kind-demo", "https://127.0.0.1:34567")
K3D = ("k3d-demo", "https://0.0.0.0:6550")
MINIKUBE = ("minikube", "https://192.168.49.2:8443")
DOCKER = ("docker-desktop", "https://kubernetes.docker.internal:6443")
K3S = ("default", "https://127.0.0.1:6443")
ELSEWHERE = ("lab", "https://kube.example.org:6443")
NERSC = ("development", "https://rancher2.spin.nersc.gov/k8s/clusters/c-abc")
DISGUISED = ("kind-spin", NERSC[1])
PUBLIC = ("kind-lab", "https://128.55.206.113:6443")
TUNNEL = ("tunnel", "https://127.0.0.1:6443")


@pytest.fixture
def where(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Places:
    # pytest's own directories are closed to others, which is not what is tested here.
    monkeypatch.setattr(account, "_closed_above", lambda storage: None)
    monkeypatch.setenv(paths.STORAGE_VARIABLE, str(tmp_path))
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "config"))
    (tmp_path / "config").write_text("{}")
    return places.of("default")


def known(*contexts: tuple[str, str]) -> list[Context]:
    return [Context(name, "config", server) for name, server in contexts]


@pytest.mark.parametrize("own", [KIND, K3D, MINIKUBE, DOCKER, K3S])
def test_the_only_cluster_of_this_machine_is_taken(own: tuple[str, str]) -> None:
    others = known(NERSC, ELSEWHERE, DISGUISED, PUBLIC, TUNNEL, own)
    found, unsure = at_hand.choose(others, "", load())
    assert (found.name, unsure) == (own[0], False)


@pytest.mark.parametrize(
    ("contexts", "name", "said", "remedy"),
    [
        ((NERSC, ELSEWHERE), "", "no cluster at hand", "kind create cluster"),
        ((KIND, MINIKUBE), "", "several clusters are at hand: kind-demo, minikube", "--context"),
        ((KIND,), "kin", "there is no context 'kin'", "use one of kind-demo"),
        ((NERSC,), "development", "is a cluster of the centre", "of your own"),
        ((DISGUISED,), "kind-spin", "is a cluster of the centre", "of your own"),
    ],
)
def test_no_other_cluster_is_taken(
    where: Places, contexts: tuple[tuple[str, str], ...], name: str, said: str, remedy: str
) -> None:
    with pytest.raises(UsageError) as refused:
        at_hand.choose(known(*contexts), name, load())
    assert said in refused.value.what and remedy in refused.value.remedy


@pytest.mark.parametrize(
    ("one", "asks"),
    [(KIND, False), (MINIKUBE, False), (TUNNEL, False), (ELSEWHERE, True), (PUBLIC, True)],
)
def test_a_server_of_another_machine_is_asked_about(one: tuple[str, str], asks: bool) -> None:
    assert at_hand.choose(known(one), one[0], load())[1] is asks


def view(*contexts: tuple[str, str]) -> Result:
    """What `kubectl config view` prints."""
    told = {
        "clusters": [{"name": name, "cluster": {"server": at}} for name, at in contexts],
        "contexts": [{"name": name, "context": {"cluster": name}} for name, _ in contexts],
    }
    return Result(json.dumps(told))


def test_nothing_is_changed_before_a_yes(where: Places, tmp_path: Path) -> None:
    runner = RecordingRunner(
        {f"kubectl --kubeconfig {tmp_path}/config config view": view(ELSEWHERE)}
    )

    def no(question: str) -> None:
        raise UsageError(question)

    with pytest.raises(UsageError, match=r"lab \(https://kube.example.org:6443\) is not on this"):
        start.start(context="lab", runner=runner, confirm=no)
    assert len(runner.calls) == 1
    assert not where.private.exists()


def test_a_dry_start_shows_what_would_run_and_makes_nothing(where: Places) -> None:
    shown: list[str] = []
    assert start.start(runner=PrintingRunner(shown.append), say=shown.append) is None
    assert all("--context CONTEXT" in line for line in shown if line.startswith("$ kubectl"))
    assert any(" apply --server-side " in line for line in shown)
    assert any(" create token demo " in line for line in shown)
    assert not where.private.exists() and not where.storage.exists()


def made(where: Places, tmp_path: Path) -> State:
    """A rehearsal of which only the state is there, as after a killed start."""
    where.private.mkdir(parents=True)
    decided = places.decided("default", str(tmp_path / "config"), "kind-demo", "localhost:5001")
    decided.save(where)
    return decided


CALL = "kubectl --kubeconfig {at}/config --context kind-demo --request-timeout=15s "
SERVED = json.dumps({"resources": [{"name": "validatingadmissionpolicies"}]})


def answers(at: Path, **more: str) -> dict[str, Result | list[Result]]:
    """Of a cluster with policies, by the words after the usual ones."""
    call = CALL.format(at=at)
    known: dict[str, Result | list[Result]] = {
        f"{call}get --raw": Result(SERVED),
        f"{call}get namespace": Result(),
        f"kubectl --kubeconfig {at}/config config view": view(KIND),
    }
    return {**known, **{f"{call}{words}": Result(text) for words, text in more.items()}}


def namespace(id: str) -> str:
    return json.dumps({"metadata": {"name": "spin-rehearsal", "annotations": {ID: id}}})


def test_a_namespace_of_somebody_else_is_left_alone(where: Places, tmp_path: Path) -> None:
    made(where, tmp_path)
    theirs = answers(tmp_path, **{"get namespace": namespace("other")})
    with pytest.raises(SpinstackError, match="is not this rehearsal's"):
        start.start(runner=RecordingRunner(theirs))
    said: list[str] = []
    runner = RecordingRunner(theirs)
    stop.stop(runner=runner, say=said.append)
    assert not any(" delete " in call for call in runner.calls)
    assert "left alone" in said[0] and not where.private.exists()


def test_a_server_without_policies_is_told(where: Places, tmp_path: Path) -> None:
    made(where, tmp_path)
    old = answers(tmp_path, **{"get --raw": '{"resources": []}'})
    with pytest.raises(SpinstackError) as refused:
        start.start(runner=RecordingRunner(old))
    assert "1.30 or newer" in refused.value.remedy


def test_what_a_killed_start_left_is_removed(where: Places, tmp_path: Path) -> None:
    decided = made(where, tmp_path)
    kind = "validatingadmissionpolicies.admissionregistration.k8s.io"
    words: dict[str, str] = {
        "get namespace": namespace(decided.id),
        "delete": "",
        f"get {kind} --selector=spinstack/rehearsal=spin-rehearsal": f"{kind}/spin-rehearsal-x\n",
    }
    all_answers = answers(tmp_path, **words)
    waiting = CALL.format(at=tmp_path).replace("15s", "180s")
    all_answers[f"{waiting}wait"] = Result()
    runner = RecordingRunner(all_answers)
    stop.stop(runner=runner, say=lambda text: None)
    deleted = [call.partition(" delete ")[2] for call in runner.calls if " delete " in call]
    assert deleted[0].startswith("namespace spin-rehearsal ")
    # Without waiting for what its pods still do.
    assert deleted[1].startswith("pods --all --namespace spin-rehearsal --grace-period=1")
    assert deleted[2].startswith(f"{kind} spin-rehearsal-x ")
    assert not where.private.exists()


def test_of_a_cluster_that_is_gone_only_files_are_removed(where: Places, tmp_path: Path) -> None:
    made(where, tmp_path)
    said: list[str] = []
    only_view = {f"kubectl --kubeconfig {tmp_path}/config config view": view(K3D)}
    stop.stop(runner=RecordingRunner(dict(only_view)), say=said.append)
    assert "no context kind-demo any more" in said[0]
    assert not where.private.exists()
    stop.stop(runner=RecordingRunner(), say=said.append)
    assert said[-1] == "no rehearsal 'default'"


def test_another_context_needs_a_stop_first(where: Places, tmp_path: Path) -> None:
    made(where, tmp_path)
    with pytest.raises(SpinstackError) as refused:
        start.start(context="minikube", runner=RecordingRunner())
    assert "`invoke rehearsal.stop --platform kubernetes`" in refused.value.remedy


def test_its_settings_are_those_of_a_destination_with_spins_rules(
    where: Places, tmp_path: Path
) -> None:
    decided = State("default", "config", "kind-demo", "1", "localhost:5001", "traefik", "arm64")
    where.private.mkdir(parents=True)
    who = account.of(where)
    destination.write(decided, where, who)
    destination.write_kubeconfig(decided, where, {"server": KIND[1]}, "secret")
    assert places.kubeconfig(where).stat().st_mode & 0o777 == 0o600
    raw: dict[str, Any] = {"stack": "night", "destination": "there"}
    raw["destinations"] = {"there": {"include": str(where.destination)}}
    to = settings.load({"spinstack": raw}, tmp_path).destination()
    assert to.cluster.site("night") == "night.spin-rehearsal.localhost"
    assert (to.cluster.uid, to.cluster.ingress_class) == (who.uid, "traefik")
    assert to.build_platform == "linux/arm64"
    assert to.centre.mountable == (str(where.project_space),)
    assert to.project_dir.startswith(to.centre.mountable[0])
    assert to.centre.kubernetes.isolation == SPIN.kubernetes.isolation
    login = yaml.safe_load(places.kubeconfig(where).read_text())
    assert login["current-context"] == to.cluster.context == "development"
    assert login["contexts"][0]["context"]["namespace"] == to.cluster.namespace
