"""What is looked at before a change on Kubernetes: nothing is touched that would not go well."""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from invoke.exceptions import Exit

from spinstack.config import kubernetes
from spinstack.config.kubernetes import Cluster
from spinstack.platforms.kubernetes import labels
from spinstack.platforms.kubernetes.cluster import owners
from spinstack.rules import centre
from spinstack.tasks import prepare, ship
from tests.unit.kube_desk import ADDRESS, CLUSTER, Desk, desk, directory, node
from tests.unit.kube_node import KubeNode, Refused
from tests.unit.kube_record import LOOKS, free, image, orders

__all__ = ["desk", "directory", "node"]


MARKS = {labels.PART_OF: "demo", labels.MANAGED_BY: labels.MANAGER}


def cluster(told: dict[str, Any]) -> Cluster:
    return kubernetes.read(told, centre.load({}, "spin", "kubernetes"), "there")


def small_quota(node: KubeNode, pods: str = "2") -> None:
    told = {"hard": {"pods": pods}, "used": {"pods": "2"}}
    node.quotas = [{"kind": "ResourceQuota", "metadata": {"name": "small"}, "status": told}]


def strategies(node: KubeNode) -> list[str]:
    """Those with which the Deployment web is applied from now on, dry runs included."""
    seen: list[str] = []

    def judge(one: dict[str, Any]) -> str:
        if (one["kind"], one["metadata"]["name"]) == ("Deployment", "web"):
            seen.append(one["spec"]["strategy"]["type"])
        return ""

    node.judge = judge
    return seen


def test_without_room_for_two_the_old_one_is_stopped_first_after_a_yes(
    desk: Desk, node: KubeNode
) -> None:
    desk.types(ship.deploy)
    desk.changes()
    small_quota(node)
    seen = strategies(node)
    error = desk.fails(ship.deploy)
    assert "Stop web before the new version starts? Away for about 9 s, for 55 s at" in error.what
    assert "new containers beside the old ones (quota small: pods 2 of 2 used, 1 more" in desk.told
    assert (error.exit_code, seen) == (2, [])
    assert "[kubernetes-quota]" in desk.types(prepare.check, to="dev")
    assert desk.types(ship.deploy, yes=True) == f"{ADDRESS}\n"
    assert image(node, "web").endswith("web:2.0")
    assert seen[-2:] == ["Recreate", "RollingUpdate"], "the next change need not stop it"
    assert desk.types(ship.diff) == "nothing to do\n"


def test_without_room_what_ran_before_comes_back_after_the_new_one_is_stopped(
    desk: Desk, node: KubeNode
) -> None:
    desk.types(ship.deploy)
    desk.changes()
    small_quota(node)
    node.ill = {"web:2.0": "ErrImagePull"}
    seen = strategies(node)
    error = desk.fails(ship.deploy, yes=True)
    assert error.now == "the previous version is running again"
    assert seen[-3:] == ["Recreate", "Recreate", "RollingUpdate"]
    assert image(node, "web").endswith("web:1.0")


def test_a_change_for_which_the_quota_has_no_room_at_all_is_not_begun(
    desk: Desk, node: KubeNode
) -> None:
    desk.types(ship.deploy)
    compose = desk.directory / "docker-compose.yml"
    first, _, rest = compose.read_text().partition("  app:\n")
    app = rest.partition("  web:\n")[0]
    compose.write_text(f"{first}  app:\n{rest}  more:\n{app}")
    small_quota(node)
    error = desk.fails(ship.deploy, yes=True)
    assert error.what == "the quota has no room for the new containers"
    assert "pods 2 of 2 used, 1 more wanted" in error.details
    assert error.now == "nothing was changed"
    assert ("Deployment", "more") not in node.objects
    with pytest.raises(Exit):
        desk.types(prepare.check, to="dev", json=True)
    told = {one["rule"]: one["remedy"] for one in json.loads(desk.heard()[0])}
    assert "(`invoke stop --to dev`)" in told["kubernetes-quota"]


def by_hand(node: KubeNode, kind: str, name: str, **metadata: Any) -> None:
    """An object that is none of ours."""
    version = "apps/v1" if kind == "Deployment" else "v1"
    made = {"apiVersion": version, "kind": kind, "metadata": {"name": name, **metadata}}
    node._put({**made, "spec": {"selector": {"app": name}}})


RANCHER = {
    "labels": {"workload.user.cattle.io/workloadselector": "apps.deployment-attic-web"},
    "managedFields": [
        {"manager": "rancher", "operation": "Update", "time": "2026-11-20T10:00:00Z"},
        {"manager": "kube", "subresource": "status", "time": "2026-11-28T10:00:00Z"},
    ],
}


def test_an_object_made_by_hand_is_not_touched(desk: Desk, node: KubeNode) -> None:
    by_hand(node, "Deployment", "web", **RANCHER)
    before = json.dumps(sorted(map(str, node.objects.items())))
    error = desk.fails(ship.deploy)
    assert error.what == "not the stack's own: Deployment web"
    assert error.now == "nothing was changed"
    assert error.details.startswith(
        "Deployment web was made in Rancher's page (last changed with rancher on 2026-11-20)\n"
    )
    where = "kubectl --context development --namespace attic"
    assert f"{where} get deployment.apps web -o yaml > web-deployment.yaml" in error.details
    assert f"{where} delete deployment.apps web" in error.details
    assert json.dumps(sorted(map(str, node.objects.items()))) == before


def test_whose_objects_there_are_must_be_known(desk: Desk, node: KubeNode) -> None:
    """An apply takes objects of others over without a word."""
    by_hand(node, "Deployment", "web", **RANCHER)

    def silent(line: str) -> None:
        if line.startswith("get -f"):
            raise Refused("Unable to connect to the server: net/http: TLS handshake timeout")

    node.before = silent
    error = desk.fails(ship.deploy)
    assert "TLS handshake timeout" in error.details
    assert orders(node) == []


APPLIED = {"manager": "spinstack", "operation": "Apply"}


@pytest.mark.parametrize(
    ("kind", "name", "metadata", "told"),
    [
        ("CronJob", "nightly", {}, "CronJob nightly was made by hand"),
        (
            "CronJob",
            "nightly",
            {"labels": {**MARKS, labels.PART_OF: "shop"}, "managedFields": [APPLIED]},
            "CronJob nightly belongs to the stack shop",
        ),
        # What a deploy has brought, what somebody has said to be the stack's, what is in each
        # namespace.
        ("CronJob", "nightly", {"managedFields": [APPLIED]}, ""),
        ("CronJob", "nightly", {"labels": MARKS}, ""),
        ("ServiceAccount", "default", {}, ""),
    ],
)
def test_an_addition_without_labels_takes_nothing_over(
    kind: str, name: str, metadata: dict[str, Any], told: str
) -> None:
    def an_object(kind: str, name: str, **more: Any) -> dict[str, Any]:
        return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name, **more}}

    wanted = [an_object("Service", "web", labels=MARKS), an_object(kind, name)]
    there = [an_object("Service", "web", labels=MARKS), an_object(kind, name, **metadata)]
    found = owners.in_the_way(there, wanted)
    assert [one.told for one in found] == ([told] if told else [])
    for one in found:
        remedy = one.remedy(cluster(CLUSTER))
        assert "another name in kubernetes/" in remedy
        assert f"label cronjob nightly {labels.PART_OF}=demo {labels.of_ours()}`" in remedy


def test_two_stacks_with_a_service_of_one_name_are_not_mixed(desk: Desk, node: KubeNode) -> None:
    desk.types(ship.deploy)
    marks = {"app.kubernetes.io/part-of": "shop", "app.kubernetes.io/managed-by": "spinstack"}
    node.objects["Service", "web"]["metadata"]["labels"] |= marks
    desk.changes()
    error = desk.fails(ship.deploy)
    assert "Service web belongs to the stack shop\n" in error.details
    assert "rename the service in one of the two stacks" in error.details
    assert image(node, "web").endswith("web:1.0")
    assert free(node)


def test_check_tells_what_a_deploy_would_be_refused_for(desk: Desk, node: KubeNode) -> None:
    desk.types(ship.deploy)
    assert "[kubernetes" not in desk.types(prepare.check, to="dev")
    calls = len(node.calls)
    node.judge = lambda one: "pods have no user" if one["kind"] == "Deployment" else ""
    with pytest.raises(Exit):
        desk.types(prepare.check, to="dev")
    out, _ = desk.heard()
    assert "pods have no user [kubernetes-refused]" in out
    by_hand(node, "Service", "web")
    with pytest.raises(Exit):
        desk.types(prepare.check, to="dev")
    out, _ = desk.heard()
    assert "error: Service web was made by hand [kubernetes-taken]" in out
    assert "delete service web" in out
    assert not [
        line
        for line in node.calls[calls:]
        if not line.startswith((*LOOKS, "auth", "ver")) and "--dry-run=server" not in line
    ]


# kubectl 1.37.2, with the message of apimachinery 0.37.2.
CONFLICTS = Path(__file__).with_name("kubernetes_printed") / "conflicts.txt"


def others_change(node: KubeNode) -> None:
    """Somebody scales the Deployment, and edits it."""
    node.conflict = CONFLICTS.read_text()
    entry = {"operation": "Update", "time": "2026-11-20T10:00:00Z", "fieldsV1": {"f:spec": {}}}
    node.objects["Deployment", "web"]["metadata"]["managedFields"] = [
        {**entry, "manager": "kubectl", "subresource": "scale"},
        {**entry, "manager": "kubectl-edit"},
        {"manager": "rancher", "fieldsV1": {"f:metadata": {}}},
    ]


def test_what_others_have_changed_is_only_taken_back_with_a_yes(desk: Desk, node: KubeNode) -> None:
    desk.types(ship.deploy)
    others_change(node)
    desk.changes()
    error = desk.fails(ship.deploy)
    assert (error.exit_code, error.remedy) == (2, "add --yes")
    assert "takes 3 fields back that somebody else has changed" in error.what
    assert (
        "warning: Deployment web: .spec.replicas was changed with kubectl on 2026-11-20\n"
        'warning: Deployment web: .spec.template.spec.containers[name="web"].image was changed '
        "with kubectl-edit on 2026-11-20\n"
    ) in desk.told
    assert image(node, "web").endswith("web:1.0")
    assert free(node)
    out = desk.types(prepare.check, to="dev")
    assert 'containers[name="web"].image was changed with kubectl-edit' in out
    assert desk.types(ship.deploy, yes=True) == f"{ADDRESS}\n"
    assert image(node, "web").endswith("web:2.0")


def test_whose_fields_there_are_must_be_known(desk: Desk, node: KubeNode) -> None:
    desk.types(ship.deploy)
    others_change(node)
    node.conflict = "Error from server: etcdserver: leader changed"
    desk.changes()
    error = desk.fails(ship.deploy, yes=True)
    assert error.what.endswith("does not say who has changed fields of Deployment web")
    assert error.now == "nothing was changed"
    assert image(node, "web").endswith("web:1.0")
    assert free(node)


def test_check_tells_what_the_cluster_does_not_say_beside_what_it_has_found(
    desk: Desk, node: KubeNode
) -> None:
    desk.types(ship.deploy)
    desk.changes()
    soon = datetime.now(timezone.utc) + timedelta(seconds=130)
    node.token = f'"expiresAt":"{soon:%Y-%m-%dT%H:%M:%SZ}"\n'

    def silent(line: str) -> None:
        if line.startswith("get -f"):
            raise Refused("Unable to connect to the server: net/http: TLS handshake timeout")

    def dead(line: str) -> None:
        if line.startswith("get leases.coordination.k8s.io"):
            raise Refused("Unable to connect to the server: net/http: TLS handshake timeout")

    for trouble, others in ((silent, "[kubeconfig-token]"), (dead, "[health-check]")):
        node.before = trouble
        with pytest.raises(Exit):
            desk.types(prepare.check, to="dev")
        out, err = desk.heard()
        assert "the cluster does not respond [deploy-unseen]" in out
        assert others in out
        assert "was not checked" not in out + err


def test_what_we_have_changed_ourselves_is_no_conflict(desk: Desk, node: KubeNode) -> None:
    desk.types(ship.deploy)
    others_change(node)
    node.conflict = (
        'error: Apply failed with 1 conflict: conflict with "spinstack" using apps/v1: '
        ".spec.replicas\nPlease review the fields above--they currently have other managers.\n"
    )
    desk.changes()
    assert desk.types(ship.deploy) == f"{ADDRESS}\n"


def test_a_login_that_ends_before_a_deploy_may_have_ended_is_told(
    desk: Desk, node: KubeNode
) -> None:
    desk.types(ship.deploy)
    desk.changes()
    soon = datetime.now(timezone.utc) + timedelta(seconds=130)
    node.token = f'"expiresAt":"{soon:%Y-%m-%dT%H:%M:%SZ}"\n'
    node.calls.clear()
    error = desk.fails(ship.deploy)
    assert re.match(
        r"the token in the kubeconfig ends in 1[23]\d s, and a deploy .* 140 s$", error.what
    )
    assert "get a new kubeconfig from https://rancher2.spin.nersc.gov" in error.remedy
    assert orders(node) == []
    with pytest.raises(Exit):
        desk.types(prepare.check, to="dev")
    assert "[kubeconfig-token]" in desk.heard()[0]
    later = soon + timedelta(seconds=60)
    node.token = f'"expiresAt":"{later:%Y-%m-%dT%H:%M:%SZ}"\n'
    assert desk.types(ship.deploy) == f"{ADDRESS}\n"


def scale(node: KubeNode, count: int) -> None:
    """As `scale` and `stop` do."""
    patch = json.dumps({"spec": {"replicas": count}})
    node._patch(["deployments.apps", "web", "-p", patch], "")


def test_a_deploy_keeps_the_number_of_containers_that_scale_has_set(
    desk: Desk, node: KubeNode
) -> None:
    def replicas() -> int:
        return int(node.objects["Deployment", "web"]["spec"]["replicas"])

    desk.types(ship.deploy)
    scale(node, 2)
    assert replicas() == 2
    assert desk.types(ship.diff) == "nothing to do\n"
    desk.changes()
    assert desk.types(ship.deploy) == f"{ADDRESS}\n"
    assert (image(node, "web")[-3:], replicas()) == ("2.0", 2)
    scale(node, 0)
    desk.changes("3.0")
    desk.types(ship.deploy)
    assert replicas() == 1, "as after a start"
