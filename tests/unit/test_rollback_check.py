"""`invoke rollback --check`: known to work before it is needed, and nothing is changed."""

from __future__ import annotations

import json

import pytest
from invoke.exceptions import Exit

from spinstack.images import registry
from spinstack.rules.service import ImageName
from spinstack.tasks import ship
from tests.unit.kube_desk import Desk, desk, directory, node
from tests.unit.kube_node import KubeNode
from tests.unit.kube_record import LOOKS, free, record

__all__ = ["desk", "directory", "node"]


@pytest.fixture
def two(desk: Desk, node: KubeNode, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """A stack that was changed once, with a registry that has all."""
    monkeypatch.setattr(registry, "has", lambda image, login: True)
    desk.types(ship.deploy)
    desk.changes()
    desk.types(ship.deploy)
    node.calls.clear()
    return desk


def test_that_one_can_go_back_is_said_and_nothing_is_changed(two: Desk, node: KubeNode) -> None:
    before = json.dumps([node.objects["Deployment", "web"]["spec"], record(node)])
    told = two.types(ship.rollback, check=True)
    assert told.startswith("can go back to 20") and "by a dry run" in told
    assert json.dumps([node.objects["Deployment", "web"]["spec"], record(node)]) == before
    dry = [line for line in node.calls if not line.startswith(LOOKS)]
    assert len(dry) == 1 and "--dry-run=server" in dry[0]
    assert free(node)


def test_what_the_server_would_refuse_or_the_registry_has_lost_is_told(
    two: Desk, node: KubeNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[ImageName] = []

    def has(image: ImageName, login: object) -> bool:
        asked.append(image)
        return not image.path.endswith("web")

    monkeypatch.setattr(registry, "has", has)
    node.judge = lambda one: "no user" if one["kind"] == "Deployment" else ""
    with pytest.raises(Exit) as ended:
        two.types(ship.rollback, check=True)
    assert ended.value.code == 1
    out, _ = two.heard()
    assert "no user [kubernetes-refused]" in out
    assert "the registry has no registry.nersc.gov/alice/web:1.0, or you may not see it" in out
    assert sorted(image.path for image in asked) == ["alice/app", "alice/web"]


def test_a_registry_that_does_not_answer_is_only_a_warning(
    two: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "has", lambda image, login: None)
    told = json.loads(two.types(ship.rollback, check=True, json=True))
    assert {one["severity"] for one in told["findings"]} == {"warning"}
    assert told["check"]


def test_without_an_earlier_release_it_is_wrong_usage(desk: Desk) -> None:
    desk.types(ship.deploy)
    error = desk.fails(ship.rollback, check=True)
    assert (error.exit_code, error.what) == (2, "there is no earlier release to go back to")
