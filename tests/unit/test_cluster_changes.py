"""Changes on Kubernetes: what they leave in the cluster, however they end."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from invoke.exceptions import Exit

from spinstack.platforms.kubernetes.cluster import lease
from spinstack.remote.cluster import journal_file, watch
from spinstack.remote.owner import make_owner
from spinstack.tasks import history, ship
from spinstack.transport import probe
from spinstack.transport.login_node import ConnectionLost
from tests.unit.kube_desk import ADDRESS, CLUSTER, Desk, desk, directory, node
from tests.unit.kube_node import KubeNode, Refused

__all__ = ["desk", "directory", "node"]

LOOKS = ("get", "describe", "logs")


def orders(node: KubeNode) -> list[str]:
    """What the cluster was told to do, by verb and kind, without looks."""
    return [" ".join(line.split()[:2]) for line in node.calls if not line.startswith(LOOKS)]


def image(node: KubeNode, service: str) -> str:
    (container,) = node.objects["Deployment", service]["spec"]["template"]["spec"]["containers"]
    return str(container["image"])


def record(node: KubeNode) -> dict[str, Any]:
    data: dict[str, Any] = node.objects["ConfigMap", "spinstack-demo"]["data"]
    return data


def past(node: KubeNode) -> list[tuple[str, str]]:
    lines = record(node)["history"].splitlines()
    return [(one["doing"], one["outcome"]) for one in map(json.loads, lines)]


def free(node: KubeNode) -> bool:
    return "holderIdentity" not in node.objects["Lease", "spinstack-demo"]["spec"]


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


def test_with_nothing_to_do_the_cluster_is_only_looked_at(desk: Desk, node: KubeNode) -> None:
    desk.types(ship.deploy)
    node.calls.clear()
    assert desk.types(ship.deploy) == f"{ADDRESS}\n"
    assert orders(node) == []
    assert len(node.calls) <= 4


def test_an_image_that_runs_with_its_digest_is_the_one_that_is_wanted(
    desk: Desk, node: KubeNode
) -> None:
    desk.types(ship.deploy)
    for service in ("app", "web"):
        pod = node.objects["Deployment", service]["spec"]["template"]["spec"]
        pod["containers"][0]["image"] += f"@sha256:{'0' * 64}"
    node.calls.clear()
    desk.types(ship.deploy)
    assert orders(node) == []


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
    assert "what there is to know" in path.read_text()
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


def test_diff_shows_the_lines_of_a_mounted_file_that_change(desk: Desk, node: KubeNode) -> None:
    desk.types(ship.deploy)
    conf = desk.directory / "web" / "nginx.conf"
    conf.write_text(conf.read_text() + "# a comment\n")
    with pytest.raises(Exit):
        desk.types(ship.diff)
    out, _ = desk.heard()
    assert "+ # a comment" in out and "server {" not in out


def test_a_change_goes_back_to_the_release_before(desk: Desk, node: KubeNode) -> None:
    desk.types(ship.deploy)
    first = record(node)["current"]
    desk.changes()
    desk.types(ship.deploy)
    assert desk.types(ship.rollback, yes=True) == f"{ADDRESS}\n"
    assert image(node, "web").endswith("web:1.0")
    assert record(node)["current"] == first
    assert past(node)[-1] == ("rollback", "done")


def test_a_stack_whose_release_is_gone_can_be_deployed(desk: Desk, node: KubeNode) -> None:
    """Somebody has removed the ConfigMap."""
    desk.types(ship.deploy)
    first = record(node)["current"]
    del node.objects["ConfigMap", f"spinstack-demo-{first}"]
    desk.changes()
    assert desk.types(ship.deploy) == f"{ADDRESS}\n"
    assert f"the release {first}, which runs, is not kept" in desk.told
    assert image(node, "web").endswith("web:2.0")


def test_somebody_else_is_not_interfered_with(desk: Desk, node: KubeNode) -> None:
    desk.types(ship.deploy)
    hold(node, "bob")
    desk.changes()
    error = desk.fails(ship.deploy)
    assert error.what.startswith("locked by bob on far")
    assert image(node, "web").endswith("web:1.0")


def test_the_lock_of_somebody_who_is_gone_is_taken_over_by_anybody(
    desk: Desk, node: KubeNode
) -> None:
    desk.types(ship.deploy)
    hold(node, "bob", ago=7200)
    desk.changes()
    assert desk.types(ship.deploy) == f"{ADDRESS}\n"
    assert "took over the stale lock of bob on far" in desk.told


def test_a_lock_that_seems_to_be_stale_is_listened_to(
    desk: Desk, node: KubeNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The clock of its holder may be slow."""
    desk.types(ship.deploy)
    monkeypatch.setattr("time.sleep", lambda seconds: renewed(node))
    hold(node, "bob", ago=600)
    desk.changes()
    assert desk.fails(ship.deploy).what.startswith("locked by bob")


def test_of_two_who_begin_at_once_one_is_refused(desk: Desk, node: KubeNode) -> None:
    desk.types(ship.deploy)
    desk.changes()

    def race(line: str) -> None:
        if line.startswith("replace") and free(node):
            node.before = lambda line: None
            hold(node, "bob")

    node.before = race
    error = desk.fails(ship.deploy)
    assert error.what.startswith("locked by bob")
    assert image(node, "web").endswith("web:1.0")


def test_a_lock_that_was_taken_away_ends_the_change(desk: Desk, node: KubeNode) -> None:
    desk.types(ship.deploy)
    desk.changes()

    def steal(line: str) -> None:
        if line.startswith("apply --server-side") and "--dry-run" not in line:
            node.before = lambda line: None
            hold(node, "bob")

    node.before = steal
    error = desk.fails(ship.deploy)
    assert "somebody has broken the lock" in error.what
    assert "attic" in error.where
    assert not free(node), "it is bob's"


def test_a_lock_that_was_taken_away_while_waiting_is_not_followed_by_a_rollback(
    desk: Desk, node: KubeNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever has it may be at work on the same objects."""
    monkeypatch.setattr("spinstack.remote.cluster.held.RENEWED_EVERY", 0.0)
    desk.types(ship.deploy)
    desk.changes()
    applied: list[str] = []

    def steal(line: str) -> None:
        if line.startswith("apply --server-side") and "--dry-run" not in line:
            applied.append(line)
            hold(node, "bob")

    node.before = steal
    error = desk.fails(ship.deploy)
    assert len(applied) == 1
    assert "somebody has broken the lock" in error.what
    assert not free(node), "it is bob's"


def test_a_server_that_is_silent_for_a_moment_ends_no_change(
    desk: Desk, node: KubeNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("spinstack.remote.cluster.held.RENEWED_EVERY", 0.0)
    desk.types(ship.deploy)
    desk.changes()

    def silent(line: str) -> None:
        # At the first sign of life while it waits.
        if line.startswith("replace") and node.calls[-1].startswith("get deployments"):
            node.before = lambda line: None
            raise Refused("Unable to connect to the server: net/http: TLS handshake timeout")

    node.before = silent
    assert desk.types(ship.deploy) == f"{ADDRESS}\n"
    assert node.before is not silent
    assert image(node, "web").endswith("web:2.0")


def test_a_sign_of_life_whose_answer_is_lost_is_still_ours(
    desk: Desk, node: KubeNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("spinstack.remote.cluster.held.RENEWED_EVERY", 0.0)
    desk.types(ship.deploy)
    desk.changes()

    def written(line: str) -> None:
        if line.startswith("replace") and node.calls[-1].startswith("get deployments"):
            node.before = lambda line: None
            renewed(node)

    node.before = written
    assert desk.types(ship.deploy) == f"{ADDRESS}\n"
    assert node.before is not written


def test_releases_are_only_removed_under_our_own_lock(
    desk: Desk, node: KubeNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody may go back to one of them while they are asked about."""
    for number in range(3):
        desk.changes(f"4.{number}")
        desk.types(ship.deploy)
    before = set(node.objects)

    def think(question: str) -> str:
        hold(node, "bob")
        return "yes"

    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr("builtins.input", think)
    error = desk.fails(ship.prune, keep=1)
    assert error.what.startswith("somebody has taken the lock")
    assert set(node.objects) == before


def test_a_lost_connection_is_told_as_such(
    desk: Desk, node: KubeNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(CLUSTER, "kubectl", "login")
    desk.types(ship.deploy)
    desk.changes()

    def lose(line: str) -> None:
        if line.startswith("get deployments") and record(node)["unfinished"]:
            raise ConnectionLost("the connection to dtn was lost", where="dtn")

    node.before = lose
    error = desk.fails(ship.deploy)
    assert error.what == "the connection to dtn was lost"
    assert error.now == "the deploy was left as it is, and nobody continues it"
    node.before = lambda line: None
    age_lock(node)
    assert desk.types(ship.deploy) == f"{ADDRESS}\n"


def test_lines_of_the_history_are_not_lost_when_two_write_at_once(
    desk: Desk, node: KubeNode
) -> None:
    desk.types(ship.deploy)
    desk.changes()
    added = iter(range(3))

    def write(line: str) -> None:
        if line.startswith("replace") and next(added, None) is not None:
            one = node.objects["ConfigMap", "spinstack-demo"]
            text = one["data"]["history"]
            more = text.splitlines()[0].replace('"deploy"', '"scale"')
            node._put({**one, "data": {**one["data"], "history": f"{text}{more}\n"}})

    node.before = write
    desk.types(ship.deploy)
    doings = [doing for doing, _ in past(node)]
    assert doings.count("scale") == 3
    assert doings.count("deploy") == 2


class Killed(BaseException):
    """The process ends here, with nothing tidied up."""


def kill_at(node: KubeNode, number: int) -> None:
    """End the process at its command so many from now."""
    node.calls.clear()

    def count(line: str) -> None:
        if len(node.calls) >= number:
            raise Killed

    node.before = count


def test_after_a_death_at_any_command_anybody_can_finish(desk: Desk, node: KubeNode) -> None:
    desk.types(ship.deploy)
    for number in range(40):
        desk.changes(f"3.{number}")
        kill_at(node, number)
        try:
            desk.types(ship.deploy)
            died = False
        except Killed:
            died = True
        node.before = lambda line: None
        age_lock(node)
        assert desk.types(ship.deploy, user="carol") == f"{ADDRESS}\n", number
        assert image(node, "web").endswith(f"web:3.{number}"), number
        assert not record(node)["unfinished"]
        assert free(node)
        if not died:
            break
    assert not died
    assert number > 10


def test_after_a_death_anybody_can_go_back(desk: Desk, node: KubeNode) -> None:
    desk.types(ship.deploy)
    desk.changes()
    dead = iter([False, True])

    def die(line: str) -> None:
        if line.startswith("get deployments") and record(node)["unfinished"] and next(dead, False):
            raise Killed

    node.before = die
    with pytest.raises(Killed):
        desk.types(ship.deploy)
    node.before = lambda line: None
    age_lock(node)
    assert image(node, "web").endswith("web:2.0")
    desk.types(ship.rollback, user="carol", yes=True)
    assert "was never finished" in desk.told
    assert image(node, "web").endswith("web:1.0")
    assert not record(node)["unfinished"]


def hold(node: KubeNode, who: str, ago: int = 0) -> None:
    """Somebody takes the lock."""
    owner = make_owner(who, "far", "deploy")
    found = node.objects.get(("Lease", "spinstack-demo"))
    now = datetime.now(timezone.utc) - timedelta(seconds=ago)
    made = lease.taken("demo", owner.nonce, asdict(owner), now)
    if found:
        made["metadata"]["uid"] = found["metadata"]["uid"]
    node._put(made)


def renewed(node: KubeNode) -> None:
    """A sign of life, by a slow clock."""
    node._put(dict(node.objects["Lease", "spinstack-demo"]))


def age_lock(node: KubeNode) -> None:
    """Time goes by, until a lock that is still there has expired."""
    found = node.objects.get(("Lease", "spinstack-demo"))
    if found and not free(node):
        old = datetime.now(timezone.utc) - timedelta(hours=2)
        found["spec"]["renewTime"] = old.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def test_a_dry_run_shows_what_would_be_done_and_touches_nothing(desk: Desk, node: KubeNode) -> None:
    shown = desk.types(ship.deploy, dry=True)
    assert node.calls == []
    assert "--dry-run=server" in shown
    assert shown.index("--dry-run=server") < shown.rindex("apply --server-side")


def test_ctrl_c_without_a_terminal_leaves_it_for_the_next_command(
    desk: Desk, node: KubeNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.types(ship.deploy)
    desk.changes()
    interrupt_at(node, "apply --server-side --field-manager=spinstack --force-conflicts -f")
    error = desk.fails(ship.deploy)
    assert error.what == "left the deploy as it is"
    assert free(node)
    assert desk.types(ship.deploy) == f"{ADDRESS}\n"
    assert "was never finished" in desk.told


@pytest.mark.parametrize(("answer", "ends"), [("continue", "web:2.0"), ("back", "web:1.0")])
def test_ctrl_c_asks_and_does_as_it_is_told(
    desk: Desk, node: KubeNode, monkeypatch: pytest.MonkeyPatch, answer: str, ends: str
) -> None:
    desk.types(ship.deploy)
    desk.changes()
    interrupt_at(node, "get deployments")
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr("builtins.input", lambda question: answer)
    if answer == "continue":
        assert desk.types(ship.deploy) == f"{ADDRESS}\n"
    else:
        error = desk.fails(ship.deploy)
        assert error.now == "the previous version is running again"
    assert image(node, "web").endswith(ends)
    assert free(node)


@pytest.mark.parametrize("answer", ["continue", "back"])
def test_ctrl_c_while_it_is_taken_back_does_not_make_it_a_success(
    desk: Desk, node: KubeNode, monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    desk.types(ship.deploy)
    desk.changes()
    node.ill = {"web:2.0": "ErrImagePull"}
    interrupt_at(node, "describe")
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr("builtins.input", lambda question: answer)
    error = desk.fails(ship.deploy)
    assert error.now == "the previous version is running again"
    assert image(node, "web").endswith("web:1.0")
    assert past(node)[-1] == ("deploy", "taken back")


def interrupt_at(node: KubeNode, words: str) -> None:
    """Ctrl-C at the first such command once a change has begun."""

    def press(line: str) -> None:
        if line.startswith(words) and record(node)["unfinished"]:
            node.before = lambda line: None
            raise KeyboardInterrupt

    node.before = press


def test_the_journal_of_a_change_can_be_read_again(desk: Desk, node: KubeNode) -> None:
    desk.types(ship.deploy)
    told = desk.types(ship.journal)
    assert told.rstrip().endswith("done")
    assert "wait until healthy" in told


NOISE = "I1129 16:00:00.000000 7 request.go:700] Waited for 1.1s due to client-side throttling\n"


def test_what_kubectl_says_about_itself_is_no_answer(desk: Desk, node: KubeNode) -> None:
    read = node._get

    def noisy(words: list[str], given: str) -> str:
        return NOISE + read(words, given)

    node._get = noisy  # type: ignore[method-assign]
    assert desk.types(ship.deploy) == f"{ADDRESS}\n"
    desk.changes()
    node.ill = {"web:2.0": "ErrImagePull"}
    assert desk.fails(ship.deploy).now == "the previous version is running again"


def test_diff_without_an_answer_says_why(desk: Desk, node: KubeNode) -> None:
    desk.types(ship.deploy)

    def refuse(line: str) -> None:
        if line.startswith("get -f"):
            raise Refused("Unable to connect to the server: net/http: TLS handshake timeout")

    node.before = refuse
    assert desk.fails(ship.diff).what == "the cluster does not respond"


def test_diff_shows_what_the_server_would_change(desk: Desk, node: KubeNode) -> None:
    desk.types(ship.deploy)
    desk.changes()
    with pytest.raises(Exit) as ended:
        desk.types(ship.diff)
    assert ended.value.code == 2
    out, _ = desk.heard()
    assert "web:1.0" in out and "web:2.0" in out
    desk.types(ship.deploy)
    assert desk.types(ship.diff) == "nothing to do\n"


def test_history_without_a_kubeconfig_names_what_is_missing(desk: Desk, node: KubeNode) -> None:
    def missing(line: str) -> None:
        # kubectl 1.37.2
        raise Refused("error: stat /home/alice/.kube/config: no such file or directory")

    node.before = missing
    error = desk.fails(history.history)
    assert error.what == "there is no kubeconfig /home/alice/.kube/config"
    assert "set kubeconfig" in error.remedy and "chmod" not in error.remedy
