"""What a person is asked and told when services on Kubernetes are stopped and restarted."""

from __future__ import annotations

from spinstack.tasks import operate, ship
from tests.unit.kube_desk import Desk, desk, directory, node
from tests.unit.kube_node import KubeNode

__all__ = ["desk", "directory", "node"]

LOST = "Lost: the containers' logs. Kept: files, secrets and volumes."


def test_a_stop_tells_that_only_logs_are_lost(desk: Desk, node: KubeNode) -> None:
    desk.types(ship.deploy)
    calls = len(node.calls)
    asked = desk.fails(operate.stop)
    down = "The site is down until `invoke start`"
    assert asked.what.endswith(f"Stop demo at dev (app, web)? {down}. {LOST}")
    assert asked.remedy == "add --yes"
    asked = desk.fails(operate.stop, service="web")
    assert f"Stop demo/web at dev (web)? web is down until `invoke start`. {LOST}" in asked.what
    assert not any(call.startswith("patch deployments") for call in node.calls[calls:])


def test_a_restart_tells_who_is_down_meanwhile(desk: Desk, node: KubeNode) -> None:
    desk.types(ship.deploy)
    asked = desk.fails(operate.restart)
    overlap = "New containers start before the old ones stop"
    assert asked.what.endswith(f"Restart demo at dev (app, web)? {overlap}. {LOST}")
    compose = desk.directory / "docker-compose.yml"
    mount = '    volumes: ["./web/nginx'
    assert mount in compose.read_text()
    more = mount.replace('["', '["kept:/kept", "')
    compose.write_text(compose.read_text().replace(mount, more))
    asked = desk.fails(operate.restart)
    told = f"{overlap}; web is down for some seconds (one container a volume). {LOST}"
    assert told in asked.what
    asked = desk.fails(operate.restart, service="app")
    assert f"Restart demo/app at dev (app)? {overlap}. {LOST}" in asked.what
    assert not any("rollout restart" in call for call in node.calls)
