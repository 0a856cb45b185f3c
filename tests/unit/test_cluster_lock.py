"""The lock of changes on Kubernetes: held, waited for, taken over, lost."""

from __future__ import annotations

import socket
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from spinstack.platforms.kubernetes.cluster import lease
from spinstack.remote.cluster import held, journal_file, lock, rollout, steps
from spinstack.remote.owner import make_owner
from spinstack.tasks import ship
from spinstack.transport.script import Script, ScriptResult
from tests.unit.kube_desk import ADDRESS, Desk, desk, directory, node
from tests.unit.kube_node import KubeNode, Refused
from tests.unit.kube_record import free, hold, image, past, renewed
from tests.unit.test_lock import dead_process

__all__ = ["desk", "directory", "node"]


def given_back(node: KubeNode) -> None:
    found = node.objects["Lease", "spinstack-demo"]
    if "bob" not in str(found):
        return
    spec = {key: it for key, it in found["spec"].items() if key != "holderIdentity"}
    node._put({**found, "spec": spec})


def test_somebody_else_is_not_interfered_with(
    desk: Desk, node: KubeNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.sleep", lambda seconds: renewed(node))
    desk.types(ship.deploy)
    hold(node, "bob")
    desk.changes()
    error = desk.fails(ship.deploy)
    assert error.what.startswith("locked by bob on far")
    assert "its lock ends by itself within 60 s" in error.remedy
    assert image(node, "web").endswith("web:1.0")


def test_a_lock_without_a_heartbeat_is_waited_for_and_taken_over(
    desk: Desk, node: KubeNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody has to run the command again only because they were too early."""
    waited: list[float] = []
    clock = SimpleNamespace(monotonic=lambda: sum(waited), sleep=waited.append)
    monkeypatch.setattr(lock, "time", clock)
    desk.types(ship.deploy)
    hold(node, "bob", ago=5)
    desk.changes()
    assert desk.types(ship.deploy) == f"{ADDRESS}\n"
    assert "locked by bob on far" in desk.told and "the lock ends within 60 s" in desk.told
    assert sum(waited) == 60
    assert image(node, "web").endswith("web:2.0")


def test_a_change_of_this_machine_that_has_ended_is_not_waited_for(
    desk: Desk, node: KubeNode
) -> None:
    desk.types(ship.deploy)
    (past,) = journal_file.directory("development", "attic", "demo").glob("changes/*")
    mine = make_owner("alice", socket.gethostname(), "deploy", job=past.name)
    hold(node, replace(mine, pid=dead_process()))
    desk.changes()
    desk.types(ship.deploy)
    assert "waiting for a heartbeat" not in desk.told
    assert "took over the stale lock of alice" in desk.told


def test_a_lock_that_is_given_back_while_it_is_listened_to_is_free(
    desk: Desk, node: KubeNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.types(ship.deploy)
    hold(node, "bob")
    desk.changes()
    monkeypatch.setattr("time.sleep", lambda seconds: given_back(node))
    desk.types(ship.deploy)
    assert "took over" not in desk.told
    assert image(node, "web").endswith("web:2.0")


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


def test_a_holder_who_speaks_after_all_keeps_the_lock(
    desk: Desk, node: KubeNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A laptop may wake up just when nobody listens any more."""
    waited: list[float] = []
    clock = SimpleNamespace(monotonic=lambda: sum(waited), sleep=waited.append)
    monkeypatch.setattr(lock, "time", clock)
    desk.types(ship.deploy)
    hold(node, "bob", ago=5)
    desk.changes()
    listened = lock.StackLock.says_something

    def listens(self: lock.StackLock) -> bool:
        heard = listened(self)
        renewed(node)
        return heard

    monkeypatch.setattr(lock.StackLock, "says_something", listens)
    assert desk.fails(ship.deploy).what.startswith("locked by bob")
    assert image(node, "web").endswith("web:1.0")


def test_an_order_ends_before_the_lock_of_a_silent_holder_does(desk: Desk, node: KubeNode) -> None:
    """It gives no sign of life while kubectl runs."""
    assert steps.ORDER_SECONDS + held.RENEWED_EVERY < lease.DURATION
    desk.types(ship.deploy)
    limits: dict[str, float] = {}
    run = node.run

    def noted(script: Script, **more: Any) -> ScriptResult:
        limits.update({step.name: script.seconds for step in script.steps})
        return run(script, **more)

    node.run = noted  # type: ignore[method-assign]
    desk.changes()
    node.ill = {"web:2.0": "ErrImagePull"}
    desk.fails(ship.deploy)
    assert limits["apply"] == steps.ORDER_SECONDS


def test_nothing_is_ordered_after_a_sign_of_life_that_nobody_has_heard(
    desk: Desk, node: KubeNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.types(ship.deploy)
    desk.changes()

    # The lock is renewed and the change noted; then comes the sign of life before the apply.
    lived = iter([True, True])

    def silent(line: str) -> None:
        if "--dry-run=server" in line:
            monkeypatch.setattr("spinstack.remote.cluster.held.RENEWED_EVERY", 0.0)
        judged = held.RENEWED_EVERY == 0.0
        if judged and line.startswith("replace") and not next(lived, False):
            raise Refused("Unable to connect to the server: net/http: TLS handshake timeout")

    node.before = silent
    before = node.objects["Deployment", "web"]["metadata"]["generation"]
    desk.fails(ship.deploy)
    assert node.objects["Deployment", "web"]["metadata"]["generation"] == before


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


def test_a_machine_that_has_slept_asks_before_it_orders_anything(
    desk: Desk, node: KubeNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its uptime stands still meanwhile, and somebody else may have taken the lock."""
    desk.types(ship.deploy)
    desk.changes()

    asleep = [0.0]
    clock = SimpleNamespace(monotonic=lambda: 0.0, time=lambda: asleep[0])
    monkeypatch.setattr(held, "time", clock)

    def sleep(change: rollout.Rollout) -> None:
        asleep[0] = 600.0
        hold(node, "bob")

    # Just before it applies.
    monkeypatch.setattr(rollout.Rollout, "_visit", sleep)
    assert "somebody has broken the lock" in desk.fails(ship.deploy).what
    assert image(node, "web").endswith("web:1.0")


def test_a_server_that_is_silent_for_a_moment_ends_no_change(
    desk: Desk, node: KubeNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("spinstack.remote.cluster.held.RENEWED_EVERY", 0.0)
    desk.types(ship.deploy)
    desk.changes()

    def silent(line: str) -> None:
        # At the first sign of life while it waits.
        applied = [one for one in node.calls if "apply" in one and "--dry-run" not in one]
        looked = node.calls[-1:] and node.calls[-1].startswith("get deployments")
        if line.startswith("replace") and looked and applied:
            node.before = lambda line: None
            raise Refused("Unable to connect to the server: net/http: TLS handshake timeout")

    node.before = silent
    node.calls.clear()
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
