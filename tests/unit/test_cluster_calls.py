"""How often kubectl is called: each call takes a start of a program and a round trip or more."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from spinstack.errors import SpinstackError
from spinstack.platforms.kubernetes import labels
from spinstack.remote.cluster.together import KINDS
from spinstack.tasks import ship
from spinstack.tasks import status as tasks_status
from spinstack.transport.laptop import channel
from spinstack.transport.laptop.channel import LaptopChannel
from spinstack.transport.laptop.node import LaptopNode
from tests.unit import kubernetes_fake as fake
from tests.unit.kube_desk import Desk, KubeSession, desk, directory, node
from tests.unit.kube_node import KubeNode
from tests.unit.stack_session import run

__all__ = ["desk", "directory", "node"]

# Prints what there is, and carries out what is to be run in a pod. With a file `beside` it only
# prints once something runs in a pod.
PROGRAM = """\
#!/bin/bash
printf '%s\\n' "$*" >>~/calls
case " $* " in
    *' exec '*) touch ~/asked; while [ "$1" != -- ]; do shift; done; shift; exec "$@" ;;
    *' get '*)
        for _ in {1..99}; do
            if [ ! -e ~/beside ] || [ -e ~/asked ]; then cat ~/there; exit; fi
            sleep 0.05
        done ;;
esac
"""
RELEASE = "20261122-165337-4c3c68be"
NOTE = {"id": RELEASE, "who": "alice", "host": "laptop", "commit": "0123456789abcdef"}


class Real:
    """`status` as it is typed, with a kubectl that tells how it was called."""

    def __init__(self, home: Path, directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.home, self._directory, self._capsys = home, directory, capsys
        self.node = LaptopNode()
        (home / "bin").mkdir(parents=True)
        program = home / "bin" / "kubectl"
        program.write_text(PROGRAM)
        program.chmod(0o755)
        self.has()

    def has(self, *, ready: bool = True) -> None:
        """A stack of one service, whose pod is ready or not."""
        web = fake.deployment("web", ready=int(ready))
        pod = fake.pod("web", status={"state": {"running": {}}, "ready": ready, "restartCount": 2})
        kept = [self._kept("record", "", {"current": RELEASE, "unfinished": "", "history": ""})]
        kept += [self._kept("release", f"-{RELEASE}", {"note": json.dumps(NOTE)})]
        files = {"kind": "ConfigMap", "metadata": fake.meta("web-1", "demo", "web")}
        found = fake.printed(web, pod, fake.ingress("web", "demo.example.org"), files, *kept)
        (self.home / "there").write_text(found)

    def _kept(self, kind: str, name: str, data: dict[str, str]) -> dict[str, object]:
        metadata = fake.meta(f"spinstack-demo{name}", "demo", "")
        metadata["labels"][labels.KIND] = kind
        return {"kind": "ConfigMap", "metadata": metadata, "data": data}

    def status(self, *, stats: str = "") -> str:
        (self.home / "calls").write_text("")
        session = KubeSession(self._directory, self.node)  # type: ignore[arg-type]
        session.settings.raw["stats"] = {"web": stats}  # type: ignore[index]
        run(tasks_status.status, session)
        return self._capsys.readouterr().out

    @property
    def calls(self) -> list[str]:
        return (self.home / "calls").read_text().splitlines()


@pytest.fixture
def real(
    tmp_path: Path,
    directory: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Real]:
    home = tmp_path / "home"
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("PATH", f"{home}/bin:/usr/bin:/bin")
    found = Real(home, directory, capsys)
    yield found
    found.node.close()


def test_status_calls_kubectl_once(real: Real) -> None:
    told = real.status()
    assert len(real.calls) == 1
    _, web, *lines = told.splitlines()
    assert web.split()[:2] == ["web", "healthy"] and web.endswith("restarted 2 times")
    assert lines == [
        f"release: {RELEASE}, by alice on laptop, commit 0123456789",
        "address: http://demo.example.org/",
    ]


def test_what_a_service_tells_is_asked_beside_the_one_call(real: Real) -> None:
    (real.home / "beside").touch()
    assert "web: 2 workers, a  b busy\n" in real.status(stats="echo '2 workers, a  b busy'")
    assert len(real.calls) == 2


def test_no_process_of_a_status_is_left_to_be_waited_for(
    real: Real, monkeypatch: pytest.MonkeyPatch
) -> None:
    left: list[float] = []
    monkeypatch.setattr(channel, "LEFT_SECONDS", 30)
    monkeypatch.setattr(LaptopChannel, "_gone_within", lambda _, seconds: not left.append(seconds))
    real.status(stats="echo 2 workers")
    real.node.close()
    assert not left


def test_the_answer_of_a_service_without_a_ready_pod_is_none(real: Real) -> None:
    real.has(ready=False)
    assert "half" not in real.status(stats="echo half a start")
    assert len(real.calls) == 2


def test_a_deploy_calls_kubectl_no_more_than_it_has_to(desk: Desk, node: KubeNode) -> None:
    desk.types(ship.deploy)
    node.calls.clear()
    desk.types(ship.deploy)
    assert len(node.calls) == 1, "with nothing to do"
    (desk.directory / "web" / "nginx.conf").write_text("server { listen 8080; }  # new\n")
    node.calls.clear()
    desk.types(ship.deploy)
    applied = next(number for number, line in enumerate(node.calls) if is_apply(line))
    # What there is, whose it is, the quota; lock, release, dry run, lock still ours, record.
    assert applied == 8
    # Until it is well; lock still ours, release, record, unlock.
    waited = [line for line in node.calls if line.startswith("get deployments.apps,pods")]
    assert len(node.calls) == applied + 1 + len(waited) + 4
    node.calls.clear()
    desk.types(ship.rollback, yes=True)
    assert not [line for line in node.calls if "manifests" in line], "it was all there"


def is_apply(line: str) -> bool:
    return line.startswith("apply") and "--dry-run" not in line


def test_a_lock_that_was_taken_meanwhile_is_not_taken_again(desk: Desk, node: KubeNode) -> None:
    """What was looked at before it may have been changed by whoever had it."""
    desk.types(ship.deploy)
    (desk.directory / "web" / "nginx.conf").write_text("server { listen 8080; }  # new\n")

    def change(line: str) -> None:
        if line.startswith("replace"):
            node.before = lambda line: None
            one = node.objects["ConfigMap", "spinstack-demo"]
            left = json.dumps({"who": "bob", "host": "far", "doing": "deploy", "release": "other"})
            node._put({**one, "data": {**one["data"], "current": "other", "unfinished": left}})
            node._put(dict(node.objects["Lease", "spinstack-demo"]))

    node.before = change
    node.calls.clear()
    with contextlib.suppress(SpinstackError):
        desk.types(ship.deploy)
    looks = [number for number, line in enumerate(node.calls) if KINDS in line]
    applied = [number for number, line in enumerate(node.calls) if is_apply(line)]
    assert len(looks) == 2, "it looked again"
    assert not applied or applied[0] > looks[1]
