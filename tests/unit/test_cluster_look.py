"""What is told about a stack on Kubernetes with nothing changed: a look, diff, a dry run."""

from __future__ import annotations

import pytest
from invoke.exceptions import Exit

from spinstack.tasks import history, ship
from tests.unit.kube_desk import ADDRESS, Desk, desk, directory, node
from tests.unit.kube_node import KubeNode, Refused
from tests.unit.kube_record import orders

__all__ = ["desk", "directory", "node"]


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


def test_diff_shows_the_lines_of_a_mounted_file_that_change(desk: Desk, node: KubeNode) -> None:
    desk.types(ship.deploy)
    conf = desk.directory / "web" / "nginx.conf"
    conf.write_text(conf.read_text() + "# a comment\n")
    with pytest.raises(Exit):
        desk.types(ship.diff)
    out, _ = desk.heard()
    assert "+ # a comment" in out and "server {" not in out


def test_a_dry_run_shows_what_would_be_done_and_touches_nothing(desk: Desk, node: KubeNode) -> None:
    shown = desk.types(ship.deploy, dry=True)
    assert node.calls == []
    assert "--dry-run=server" in shown
    assert shown.index("--dry-run=server") < shown.rindex("apply --server-side")


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
