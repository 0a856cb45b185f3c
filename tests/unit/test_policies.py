"""The policies of a pretend Spin on Kubernetes are the rules of `check`: ids, data, remedies."""

from __future__ import annotations

import json
from typing import Any

import pytest

from spin_rehearsal.kubernetes import policies
from spinstack.checks import catalogue
from spinstack.rules import isolation, service_rules
from spinstack.rules.centre import Centre, load
from spinstack.rules.service import Mount, Service

SPIN = load(platform="kubernetes")


def described(centre: Centre) -> dict[str, str]:
    """What the policies of each rule say, as text."""
    found: dict[str, str] = {}
    for policy in policies.policies(centre):
        for it in policy.validations:
            assert f"[{policy.rule}]" in it.message
            found[policy.rule] = found.get(policy.rule, "") + it.holds + it.message
    return found


def test_each_policy_is_a_rule_and_each_field_of_the_data_is_in_one() -> None:
    found = policies.policies(SPIN)
    assert {policy.rule for policy in found} <= set(catalogue.rules())
    for kind in ("Pod", "Service"):
        told = next(it for it in found if (it.rule, it.kind) == ("kubernetes-isolation", kind))
        of_kind = [rule for rule in SPIN.kubernetes.isolation if rule.kind == kind]
        assert len(told.validations) == len(of_kind)
        for rule, it in zip(of_kind, told.validations, strict=True):
            assert f".?{rule.field.rpartition('.')[2]}" in it.holds
            assert rule.remedy in it.message


MOUNT = (Mount("/global/homes/a", "/data"),)


@pytest.mark.parametrize(
    "service",
    [
        Service("app", "x:1", mounts=MOUNT, cap_drop=("ALL",)),
        Service("app", "x:1", user="1:0", mounts=MOUNT, group_add=("0",), cap_add=("CHOWN",)),
        Service("app", "x:1", cap_add=("SYS_ADMIN",)),
    ],
)
def test_what_check_finds_in_a_service_a_policy_refuses_with_the_same_remedy(
    service: Service,
) -> None:
    said = described(SPIN)
    rules = (service_rules.user, service_rules.capabilities, service_rules.mounts)
    for finding in (one for rule in rules for one in rule(service, SPIN)):
        remedy = json.dumps(finding.remedy)[1:-1]
        # Of a group that is not the compose file's own; for a user one line is to be written.
        assert remedy in said[finding.rule] or finding.rule == "numeric-id"


def test_other_data_are_other_policies() -> None:
    other = load({"kubernetes": {"host_paths": ["/data"]}}, platform="kubernetes")
    assert '"/data/"' in described(other)["path-mountable"]
    assert "cdirs" not in described(other)["path-mountable"]
    strict = load({"users": {"root": False}}, platform="kubernetes")
    assert "variables.containers.all" in described(strict)["numeric-id"]
    assert "variables.containers" not in described(SPIN)["numeric-id"]
    assert set(described(load(profile="generic", platform="kubernetes"))) == {"cap-add"}


def test_a_binding_is_for_the_namespaces_of_one_rehearsal() -> None:
    labels = {"spinstack/rehearsal": "mine"}
    found = policies.objects(SPIN, "mine", labels)
    assert all(it["metadata"]["labels"] == labels for it in found)
    bound = {it["spec"]["policyName"]: it["spec"] for it in found[1::2]}
    assert set(bound) == {it["metadata"]["name"] for it in found[::2]}
    for it in bound.values():
        assert it["matchResources"] == {"namespaceSelector": {"matchLabels": labels}}


def pod(kind: str, spec: dict[str, Any]) -> dict[str, Any]:
    if kind == "Pod":
        return {"kind": kind, "spec": spec}
    job = {"template": {"spec": spec}}
    return {"kind": kind, "spec": {"jobTemplate": {"spec": job}} if kind == "CronJob" else job}


@pytest.mark.parametrize("kind", ["Pod", "Deployment", "CronJob"])
@pytest.mark.parametrize(
    ("spec", "remedy"),
    [
        ({"hostNetwork": True}, "write hostNetwork: false"),
        ({"initContainers": [{"securityContext": {"privileged": True}}]}, "privileged: false"),
        ({"containers": [{}, {"ports": [{}, {"hostPort": 80}]}]}, "remove hostPort"),
        (
            {"volumes": [{"hostPath": {"type": "DirectoryOrCreate"}}]},
            "hostPath.type: Directory",
        ),
        ({"hostNetwork": False, "containers": [{"securityContext": None}], "volumes": [{}]}, ""),
        ({"nodeSelector": {"disk": "fast"}}, ""),
    ],
)
def test_a_field_that_may_not_be_so_is_found_wherever_pods_come_from(
    kind: str, spec: dict[str, Any], remedy: str
) -> None:
    found = list(isolation.findings(pod(kind, spec), SPIN, "kubernetes/x.yaml"))
    assert len(found) == bool(remedy)
    assert all(remedy in it.remedy for it in found)


def test_services_have_rules_of_their_own() -> None:
    spec = {"type": "NodePort", "hostNetwork": True}
    (found,) = isolation.findings({"kind": "Service", "spec": spec}, SPIN, "x.yaml")
    assert found.problem == "type may not be 'NodePort'"
    assert not list(isolation.findings({"kind": "ConfigMap", "spec": spec}, SPIN, "x.yaml"))
    assert not list(isolation.findings({"kind": "Deployment"}, SPIN, "x.yaml"))
