"""Changes on Kubernetes that are cut off: Ctrl-C, a death, a lost connection."""

from __future__ import annotations

import pytest

from spinstack.tasks import ship
from spinstack.transport.login_node import ConnectionLost
from tests.unit.kube_desk import ADDRESS, CLUSTER, Desk, desk, directory, node
from tests.unit.kube_node import KubeNode
from tests.unit.kube_record import age_lock, free, image, past, record

__all__ = ["desk", "directory", "node"]


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
