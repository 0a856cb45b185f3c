"""The registry of a rehearsal in a cluster, without an engine: where it runs, who may log in, and
that nothing of it stays."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from spin_rehearsal.kubernetes import objects, places, registry, start, stop
from spin_rehearsal.kubernetes.kubectl import Kubectl
from spin_rehearsal.kubernetes.places import State
from spin_rehearsal.paths import Places
from spinstack.errors import SpinstackError
from spinstack.rules.centre import load
from spinstack.transport.runner import PrintingRunner, RecordingRunner, Result
from tests.unit.test_rehearsal_cluster import CALL, K3D, view, where

__all__ = ["where"]

REGISTRY = "127.0.0.1:5123"
NODES = {"items": [{"metadata": {"name": name}} for name in ("demo-control-plane", "outside")]}
NAME = "spinstack-spin-rehearsal-abcdef"
DOCKER = {
    "docker version": Result('{"Client": {"Os": "linux", "Arch": "amd64"}}'),
    "docker rm --force": Result(),
    "docker run": Result("id\n"),
    "docker container inspect --format '{{.Id}}' demo-control-plane": Result("id\n"),
    "docker container inspect --format '{{.Id}}' outside": Result("", "No such container", 1),
    "docker image inspect": Result("[]"),
    "docker login": Result(),
}


def a_state(where: Places, tmp_path: Path, engine: str = "docker") -> State:
    where.private.mkdir(parents=True)
    found = State(
        "default", f"{tmp_path}/config", "kind-demo", "abcdef0123", REGISTRY, engine=engine
    )
    found.save(where)
    return found


def started(where: Places, tmp_path: Path, decided: State) -> RecordingRunner:
    asked = CALL.format(at=tmp_path)
    runner = RecordingRunner({**DOCKER, f"{asked}get nodes": Result(json.dumps(NODES))})
    kubectl = Kubectl(runner, decided.kubeconfig, decided.context)
    registry.start(runner, kubectl, decided, where, lambda text: None)
    return runner


@pytest.fixture(autouse=True)
def answering(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_wait", lambda registry: None)


def test_it_is_on_the_loopback_of_this_machine_and_of_each_node_in_a_container(
    where: Places, tmp_path: Path
) -> None:
    decided = a_state(where, tmp_path)
    runner = started(where, tmp_path, decided)
    runs = [call for call in runner.calls if call.startswith("docker run")]
    assert [call.partition(" --name ")[2].split()[0] for call in runs] == [
        f"{NAME}-registry",
        f"{NAME}-demo-control-plane",
    ]
    assert f"--publish {REGISTRY}:5123" in runs[0]
    assert "--network container:demo-control-plane" in runs[1]
    assert "REGISTRY_HTTP_ADDR=127.0.0.1:5123" in runs[1], "nobody else reaches it there"
    volume = f"--volume {NAME}:/var/lib/registry"
    assert all(volume in call and f"spinstack.rehearsal={NAME}" in call for call in runs)


def test_only_who_has_the_pull_secret_or_the_engines_login_gets_in(
    where: Places, tmp_path: Path
) -> None:
    decided = a_state(where, tmp_path)
    runner = started(where, tmp_path, decided)
    login = registry.pull_login(runner, decided, where)
    assert login is not None
    assert any(call.startswith("docker login --username demo") for call in runner.calls)
    assert not any(login.password in call for call in runner.calls)
    told = registry.pull_secret(decided.registry, login)
    *_, secret = objects.member(decided, load(platform="kubernetes"), told)
    auths = json.loads(secret["stringData"][".dockerconfigjson"])["auths"]
    assert base64.b64decode(auths[REGISTRY]["auth"]).decode() == f"demo:{login.password}"
    assert secret["metadata"]["name"] == "registry-nersc"
    for file in (where.private / "registry").iterdir():
        assert file.stat().st_mode & 0o077 == 0
    assert "htpasswd" in (where.private / "registry" / "config.yml").read_text()
    started(where, tmp_path, decided)
    assert registry.pull_login(runner, decided, where) == login, "what was stored stays valid"


def test_of_a_registry_of_ones_own_the_engines_login_is_passed_on(
    where: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decided = a_state(where, tmp_path, engine="")
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    assert registry.pull_login(RecordingRunner(DOCKER), decided, where) is None
    assert registry.pull_secret(REGISTRY, None) == '{"auths": {}}'
    auth = base64.b64encode(b"alice:secret").decode()
    (tmp_path / "config.json").write_text(json.dumps({"auths": {REGISTRY: {"auth": auth}}}))
    found = registry.pull_login(RecordingRunner(DOCKER), decided, where)
    assert found is not None and (found.user, found.password) == ("alice", "secret")


def test_nothing_of_it_stays(where: Places, tmp_path: Path) -> None:
    a_state(where, tmp_path)
    runner = RecordingRunner(
        {
            **DOCKER,
            f"kubectl --kubeconfig {tmp_path}/config config view": view(K3D),
            "docker ps": Result("c1\nc2\n"),
            "docker volume rm": Result(),
            "docker image ls": Result(f"{REGISTRY}/demo/app:1 x\nother:1 x\n"),
            "docker image rm": Result(),
            "docker logout": Result(),
        }
    )
    stop.stop(runner=runner, say=lambda text: None)
    assert f"docker ps --all --quiet --filter label=spinstack.rehearsal={NAME}" in runner.calls
    removed = [call for call in runner.calls if " rm " in call or "logout" in call]
    assert removed == [
        "docker rm --force c1 c2",
        f"docker volume rm --force {NAME}",
        f"docker image rm --force {REGISTRY}/demo/app:1",
        f"docker logout {REGISTRY}",
    ]
    assert not where.private.exists()


def test_without_its_image_another_registry_is_named(where: Places, tmp_path: Path) -> None:
    decided = a_state(where, tmp_path)
    missing = {"docker image inspect": Result("", "No such image", 1)}
    runner = RecordingRunner({**DOCKER, **missing, "docker pull": Result("", "no such host", 1)})
    kubectl = Kubectl(runner, decided.kubeconfig, decided.context)
    with pytest.raises(SpinstackError) as refused:
        registry.start(runner, kubectl, decided, where, lambda text: None)
    assert "--registry" in refused.value.remedy and refused.value.details == "no such host"


def test_who_brings_a_registry_gets_no_other(where: Places) -> None:
    shown: list[str] = []
    start.start(runner=PrintingRunner(shown.append), say=shown.append, registry="localhost:5001")
    assert not any("docker run" in line for line in shown)
    shown.clear()
    start.start(runner=PrintingRunner(shown.append), say=shown.append)
    assert any("docker run" in line for line in shown)
    assert not places.of("default").private.exists()
