"""Changes on Kubernetes: what they leave in the cluster, however they end."""

from __future__ import annotations

import json
from itertools import count
from types import SimpleNamespace

import pytest

from spinstack.remote.cluster import journal_file, watch
from spinstack.tasks import ship
from spinstack.transport import probe
from spinstack.transport.probe import Answer
from tests.unit.kube_desk import ADDRESS, Desk, desk, directory, node
from tests.unit.kube_node import KubeNode, Refused
from tests.unit.kube_record import age_lock, free, hold, image, orders, past, record

__all__ = ["desk", "directory", "node"]


def test_a_stack_is_created_and_then_changed(desk: Desk, node: KubeNode) -> None:
    assert desk.types(ship.deploy) == f"{ADDRESS}\n"
    first = record(node)["current"]
    assert past(node) == [("deploy", "done")]
    desk.changes()
    assert desk.types(ship.deploy) == f"{ADDRESS}\n"
    assert image(node, "web").endswith("web:2.0")
    assert record(node)["current"] != first
    assert not record(node)["unfinished"]
    assert past(node) == [("deploy", "done")] * 2
    assert free(node)


def test_what_the_server_refuses_has_touched_nothing(desk: Desk, node: KubeNode) -> None:
    desk.types(ship.deploy)
    desk.changes()
    node.judge = lambda one: "no user" if one["kind"] == "Deployment" else ""
    error = desk.fails(ship.deploy)
    assert "no user" in str(error) + error.details
    assert error.now == "nothing that is running was touched"
    assert image(node, "web").endswith("web:1.0")
    assert past(node) == [("deploy", "done"), ("deploy", "failed")]
    assert free(node)


def test_a_release_that_can_not_be_kept_touches_nothing(desk: Desk, node: KubeNode) -> None:
    desk.types(ship.deploy)
    desk.changes()

    def refuse(line: str) -> None:
        if line.startswith("create"):
            raise Refused("Error from server (Forbidden): configmaps is forbidden: not you")

    node.before = refuse
    error = desk.fails(ship.deploy)
    assert "configmaps is forbidden" in error.what + error.details
    assert error.now == "nothing that is running was touched"
    assert image(node, "web").endswith("web:1.0")
    assert not record(node)["unfinished"]
    assert free(node)


def test_a_change_that_does_not_get_well_is_taken_back_whole(desk: Desk, node: KubeNode) -> None:
    desk.types(ship.deploy)
    first, nginx = record(node)["current"], desk.directory / "web" / "nginx.conf"
    before = {key: json.dumps(one["spec"]) for key, one in node.objects.items() if "spec" in one}
    desk.changes()
    nginx.write_text("server { listen 8080; server_tokens off; }\n")
    node.ill = {"web:2.0": "ErrImagePull"}
    error = desk.fails(ship.deploy)
    assert error.what.startswith("web failed")
    assert error.now == "the previous version is running again"
    after = {key: json.dumps(one["spec"]) for key, one in node.objects.items() if "spec" in one}
    assert {key: after[key] for key in before if key[0] != "Lease"} == {
        key: spec for key, spec in before.items() if key[0] != "Lease"
    }
    assert after.keys() == before.keys()
    assert (record(node)["current"], record(node)["unfinished"]) == (first, "")
    assert past(node)[-1] == ("deploy", "taken back")


def test_the_first_looks_are_close_together_while_nothing_seems_hopeless(
    desk: Desk, node: KubeNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept: list[float] = []
    monkeypatch.setattr(watch, "PAUSE", 1.0)
    monkeypatch.setattr(watch, "SOON", 0.3)
    monkeypatch.setattr("time.sleep", slept.append)
    desk.types(ship.deploy)
    assert slept and set(slept) == {0.3}
    desk.changes()
    node.ill["web:2.0"] = "crashes"
    desk.fails(ship.deploy)
    assert slept.count(1.0) >= watch.PATIENCE - 1


def test_what_is_known_about_a_failure_is_in_a_file(desk: Desk, node: KubeNode) -> None:
    desk.types(ship.deploy)
    desk.changes()
    node.ill = {"web:2.0": "ErrImagePull"}
    error = desk.fails(ship.deploy)
    (named,) = [line for line in error.details.split("\n") if line.startswith("evidence: ")]
    path = journal_file.Path(named.removeprefix("evidence: "))
    told = path.read_text()
    assert "what there is to know" in told
    assert "hush" not in told and "HTTP_PORT:  ********\n" in told
    assert "<set to the key 'key' in secret 'web'>  Optional: false\n    Mounts:\n" in told
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_first_deploy_that_fails_deletes_nothing(desk: Desk, node: KubeNode) -> None:
    node.ill = {"web:1.0": "ErrImagePull"}
    error = desk.fails(ship.deploy)
    assert "left in place" in error.now
    assert ("Deployment", "web") in node.objects
    node.ill = {}
    assert desk.types(ship.deploy) == f"{ADDRESS}\n"


def test_a_site_that_does_not_answer_is_asked_from_here(
    desk: Desk, node: KubeNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("spinstack.deploy.run.ANSWER_SECONDS", 0)
    monkeypatch.setattr(probe, "ask", lambda url: probe.Answer(503, "busy"))
    error = desk.fails(ship.deploy)
    assert error.where == f"{ADDRESS}: 503 from this machine"


def test_a_name_that_is_new_is_waited_for_longer_than_a_page(
    desk: Desk, node: KubeNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = [probe.Answer(0, "unknown", no_name=True)] * 3 + [probe.Answer(200, "OK")] * 9
    monkeypatch.setattr("spinstack.deploy.run.ANSWER_SECONDS", 0)
    monkeypatch.setattr(probe, "ask", lambda url: answers.pop(0))
    assert desk.types(ship.deploy) == f"{ADDRESS}\n"


def test_what_the_stack_no_longer_has_goes_after_the_new_is_well(
    desk: Desk, node: KubeNode
) -> None:
    desk.types(ship.deploy)
    by_hand = {"kind": "Deployment", "metadata": {"name": "db", "labels": {}}, "spec": {}}
    node.objects["Service", "db"] = {**by_hand, "kind": "Service"}
    compose = desk.directory / "docker-compose.yml"
    first, _, rest = compose.read_text().partition("  app:\n")
    compose.write_text(first + "  web:\n" + rest.partition("  web:\n")[2])
    node.calls.clear()
    desk.types(ship.deploy)
    assert ("Deployment", "app") not in node.objects
    assert ("Service", "db") in node.objects
    done = orders(node)
    assert done.index("delete Deployment.apps") > done.index("apply --server-side")


def test_a_change_goes_back_to_the_release_before(desk: Desk, node: KubeNode) -> None:
    desk.types(ship.deploy)
    first = record(node)["current"]
    desk.changes()
    desk.types(ship.deploy)
    assert desk.types(ship.rollback, yes=True) == f"{ADDRESS}\n"
    assert image(node, "web").endswith("web:1.0")
    assert record(node)["current"] == first
    assert past(node)[-1] == ("rollback", "done")


def test_a_change_of_others_while_somebody_is_asked_is_told_as_that(
    desk: Desk, node: KubeNode
) -> None:
    """Nobody has the lock any more, but somebody had it."""
    desk.types(ship.deploy)
    desk.changes()
    desk.types(ship.deploy)

    def meanwhile(line: str) -> None:
        if line.startswith("replace") and not free(node):
            node.before = lambda line: None
            found = node.objects["Lease", "spinstack-demo"]
            hold(node, "bob")
            spec = {key: it for key, it in found["spec"].items() if key != "holderIdentity"}
            node._put({**node.objects["Lease", "spinstack-demo"], "spec": spec})

    node.before = meanwhile
    assert desk.fails(ship.rollback, yes=True).what == "somebody has just changed the stack"
    assert image(node, "web").endswith("web:2.0")


def test_a_stack_whose_release_is_gone_can_be_deployed(desk: Desk, node: KubeNode) -> None:
    """Somebody has removed the ConfigMap."""
    desk.types(ship.deploy)
    first = record(node)["current"]
    del node.objects["ConfigMap", f"spinstack-demo-{first}"]
    desk.changes()
    assert desk.types(ship.deploy) == f"{ADDRESS}\n"
    assert f"the release {first}, which runs, is not kept" in desk.told
    assert image(node, "web").endswith("web:2.0")


@pytest.mark.parametrize(("times", "waited"), [(1, True), (3, False)])
def test_what_the_cluster_noted_about_a_failure_is_told_with_its_cause(
    desk: Desk, node: KubeNode, monkeypatch: pytest.MonkeyPatch, times: int, waited: bool
) -> None:
    clock = SimpleNamespace(monotonic=count(0, 0.2).__next__, sleep=lambda seconds: None)
    monkeypatch.setattr(watch, "time", clock)
    desk.types(ship.deploy)
    desk.changes()
    node.ill = {"web:2.0": "ContainerCreating"}
    said = "MountVolume.SetUp failed: hostPath type check failed: /d is not a directory"
    pod = {"kind": "Pod", "name": "web-2"}
    noted = {"involvedObject": pod, "reason": "FailedMount", "message": said, "count": times}
    node.events = [noted]
    error = desk.fails(ship.deploy)
    assert error.what.endswith(f": web is being created: FailedMount: {said}")
    assert ("within 20 s" in error.what) == waited
    # In each look from some seconds on, in the last one, and for the evidence.
    asked = len([line for line in node.calls if line.startswith("get events")])
    assert (asked == watch.PATIENCE + 2) != waited and asked > watch.PATIENCE
    assert "FailedMount" not in error.where
    assert error.cause.startswith("/d does not exist on the node")
    assert error.remedy.startswith("create it")
    assert error.now == "the previous version is running again"


def test_what_runs_beside_a_failure_has_no_part_in_its_last_lines(
    desk: Desk, node: KubeNode
) -> None:
    desk.types(ship.deploy)
    desk.changes()
    node.ill["web:2.0"] = "ErrImagePull"
    pods = {"web-2": "no colour today", "web-1": "GET /"}
    node.logs = "".join(
        f"[pod/{pod}/web] 2026-11-30T00:00:0{second}Z {line}\n"
        for second, (pod, line) in enumerate(pods.items())
    )
    details = desk.fails(ship.deploy).details
    assert "no colour today" in details and "GET /" not in details
    assert "bin/kubectl" not in details, "where it was found is no line of a log"


def test_a_release_that_the_server_refuses_is_not_kept(desk: Desk, node: KubeNode) -> None:
    """Nothing was changed: there is nothing to go back to."""
    desk.types(ship.deploy)
    kept = {name for kind, name in node.objects if kind == "ConfigMap"}
    desk.changes()
    node.judge = lambda one: "web may not" if one["kind"] == "Deployment" else ""
    assert "web may not" in desk.fails(ship.deploy).details + desk.told
    assert {name for kind, name in node.objects if kind == "ConfigMap"} == kept


def test_a_release_that_the_record_may_name_is_kept(desk: Desk, node: KubeNode) -> None:
    """The answer may have been lost alone."""
    desk.types(ship.deploy)
    desk.changes()

    def lose(line: str) -> None:
        judged = any("--dry-run=server" in one for one in node.calls)
        if judged and line.startswith("replace") and node.calls[-1].startswith("replace"):
            raise Refused("Unable to connect to the server: net/http: TLS handshake timeout")

    node.calls.clear()
    node.before = lose
    kept = {name for kind, name in node.objects if kind == "ConfigMap"}
    error = desk.fails(ship.deploy)
    assert "the record of the stack could not be written" in f"{error.what}{error.details}"
    assert len({name for kind, name in node.objects if kind == "ConfigMap"} - kept) == 1


def test_a_token_that_ends_in_the_middle_is_told_with_what_to_do(
    desk: Desk, node: KubeNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.types(ship.deploy)
    desk.changes()
    said = "error: You must be logged in to the server (Unauthorized)"

    def refuse(line: str) -> None:
        raise Refused(said)

    def expire(line: str) -> None:
        if line.startswith("get deployments") and "apply" in node.calls[-1]:
            node.before = refuse

    node.before = expire
    monkeypatch.setattr("spinstack.platforms.health.SILENT_SECONDS", 0)
    error = desk.fails(ship.deploy)
    assert error.what.startswith("the cluster does not accept the token in the kubeconfig")
    assert "what ran before it was not brought back" in error.now
    assert error.remedy.startswith("download the kubeconfig again")
    assert error.remedy.endswith("then run `invoke deploy`, which finishes it")
    node.before = lambda line: None
    age_lock(node)
    assert desk.types(ship.deploy) == f"{ADDRESS}\n"


@pytest.mark.parametrize(("status", "soon"), [(404, True), (503, False)])
def test_a_page_that_is_refused_ends_a_change_soon(
    desk: Desk, node: KubeNode, monkeypatch: pytest.MonkeyPatch, status: int, soon: bool
) -> None:
    desk.types(ship.deploy)
    desk.changes()
    asked = asks(monkeypatch, status)
    error = desk.fails(ship.deploy)
    assert error.now == "the previous version is running again"
    assert (len(asked) < 8) == soon, len(asked)


def test_an_ingress_that_does_not_know_a_new_site_yet_gets_all_its_time(
    desk: Desk, node: KubeNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = asks(monkeypatch, 404)
    desk.fails(ship.deploy)
    assert len(asked) > 8


def asks(monkeypatch: pytest.MonkeyPatch, status: int) -> list[str]:
    """The pages that are asked for; a second goes by whenever somebody looks at the clock."""
    asked: list[str] = []

    def ask(url: str) -> Answer:
        asked.append(url)
        return Answer(status, "no")

    clock = SimpleNamespace(monotonic=count().__next__, sleep=lambda seconds: None)
    monkeypatch.setattr(watch, "time", clock)
    monkeypatch.setattr(probe, "time", clock)
    monkeypatch.setattr(probe, "ask", ask)
    return asked
