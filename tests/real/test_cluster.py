"""The tests' own Kubernetes does what tests of the product will ask of one."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cluster import images, start
from tests.cluster.cluster import Cluster
from tests.cluster.people import Namespace, write_kubeconfig

SERVE = 'trap "exit 0" TERM; mkdir -p /tmp/cgi-bin; echo started; httpd -f -p 8080 -h /site & wait'
SHOW = '#!/bin/sh\nprintf "Content-Type: text/plain\\n\\n"\nenv\n'


def deployment(name: str, site: Path, **more: Any) -> dict[str, Any]:
    """Serves the directory `site` of this machine on port 8080, as Spin lets one do it."""
    container = {
        "name": name,
        "image": images.BUSYBOX_IMAGE,
        "command": ["sh", "-c", SERVE],
        "ports": [{"containerPort": 8080}],
        "readinessProbe": {"httpGet": {"path": "/", "port": 8080}, "periodSeconds": 1},
        "securityContext": {
            "runAsUser": 41037,
            "runAsGroup": 58102,
            "capabilities": {"drop": ["ALL"]},
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
        },
        "volumeMounts": [
            {"name": "site", "mountPath": "/site", "readOnly": True},
            {"name": "tmp", "mountPath": "/tmp"},
        ],
    }
    volumes = [
        {"name": "site", "hostPath": {"path": str(site), "type": "Directory"}},
        {"name": "tmp", "emptyDir": {"medium": "Memory"}},
    ]
    labels = {"app": name}
    template = {
        "metadata": {"labels": labels},
        "spec": {"containers": [container], "volumes": volumes, "terminationGracePeriodSeconds": 2},
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {"replicas": 1, "selector": {"matchLabels": labels}, "template": template, **more},
    }


def reached(name: str, host: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """A service for the deployment `name`, and an ingress for it."""
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {"selector": {"app": name}, "ports": [{"port": 80, "targetPort": 8080}]},
    }
    backend = {"service": {"name": name, "port": {"number": 80}}}
    path = {"path": "/", "pathType": "Prefix", "backend": backend}
    ingress = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"name": name},
        "spec": {"rules": [{"host": host, "http": {"paths": [path]}}]},
    }
    return service, ingress


@pytest.fixture(autouse=True)
def _ours(cluster: Cluster) -> None:
    """Of a cluster that somebody else runs there is nothing to be shown here."""
    if cluster.own is None:
        pytest.skip("only for the tests' own cluster")


@pytest.fixture
def pages(tmp_path: Path) -> Iterator[Path]:
    """What is served, readable by anybody."""
    at = Path("/var/tmp") / f"spinstack-test-{tmp_path.parent.name}-{os.getpid()}"
    (at / "cgi-bin").mkdir(parents=True, exist_ok=True)
    at.chmod(0o755)
    (at / "index.html").write_text("hello\n")
    (at / "cgi-bin" / "show").write_text(SHOW)
    (at / "cgi-bin" / "show").chmod(0o755)
    yield at
    shutil.rmtree(at)


def asked(cluster: Cluster, host: str, path: str = "/") -> tuple[int, str]:
    """The answer of the ingress: status and text."""
    connection = http.client.HTTPConnection(cluster.ingress, 80, timeout=10)
    try:
        connection.request("GET", path, headers={"Host": host})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def test_a_deployment_is_ready_and_reached_through_the_ingress(
    cluster: Cluster, namespace: Namespace, pages: Path
) -> None:
    """… by its host, with the visitor's address; by its service's name from other pods; and
    `exec` and `logs` show its inside."""
    host, person = f"web.{namespace.name}.test", namespace.person
    person.apply(deployment("web", pages), *reached("web", host))
    person.run("rollout", "status", "deployment/web", "--timeout=60s")
    cluster.wait_for(lambda: asked(cluster, host) == (200, "hello\n"), "the page is served", 10)
    told = asked(cluster, host, "/cgi-bin/show")[1]
    assert f"HTTP_X_FORWARDED_FOR={cluster.host}" in told
    assert "HTTP_X_FORWARDED_PROTO=http" in told
    assert asked(cluster, "nobody.test")[0] == 404
    assert person.run("exec", "deployment/web", "--", "wget", "-qO-", "http://web/") == "hello\n"
    assert person.run("exec", "deployment/web", "--", "id", "-u") == "41037\n"
    assert "started" in person.run("logs", "deployment/web")
    person.run("scale", "deployment/web", "--replicas=0")
    cluster.wait_for(lambda: asked(cluster, host)[0] == 503, "nobody serves it any more", 20)


def test_a_person_may_do_nothing_outside_their_namespace(
    cluster: Cluster, namespace: Namespace, tmp_path: Path
) -> None:
    refused = namespace.person.try_("get", "pods", "--namespace", "default")
    assert "(Forbidden)" in refused.stderr
    assert "cannot list resource" in refused.stderr
    assert "No resources found" in namespace.person.try_("get", "pods").stderr
    write_kubeconfig(cluster, namespace.name, tmp_path / "old", seconds=-60)
    late = namespace.person.try_("get", "pods", "--kubeconfig", str(tmp_path / "old"))
    assert "Unauthorized" in late.stderr


def test_a_quota_refuses_pods(cluster: Cluster, namespace: Namespace, pages: Path) -> None:
    quota = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "few", "namespace": namespace.name},
        "spec": {"hard": {"pods": "1"}},
    }
    cluster.admin.apply(quota)
    namespace.person.apply(deployment("web", pages, replicas=2))

    def is_refused() -> bool:
        return "exceeded quota: few" in namespace.person.run("get", "events")

    cluster.wait_for(is_refused, "the second pod is refused", 30)


def test_a_policy_refuses_at_apply(cluster: Cluster, namespace: Namespace, pages: Path) -> None:
    name = f"no-root-{namespace.name}"
    rule = {
        "expression": "object.spec.template.spec.containers.all(c, "
        "has(c.securityContext) && has(c.securityContext.runAsUser))",
        "message": "say runAsUser",
    }
    kinds = {
        "apiGroups": ["apps"],
        "apiVersions": ["v1"],
        "operations": ["CREATE", "UPDATE"],
        "resources": ["deployments"],
    }
    where = {"matchLabels": {"kubernetes.io/metadata.name": namespace.name}}
    group = "admissionregistration.k8s.io"
    policy = {
        "apiVersion": f"{group}/v1",
        "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": name},
        "spec": {"matchConstraints": {"resourceRules": [kinds]}, "validations": [rule]},
    }
    binding = {
        "apiVersion": f"{group}/v1",
        "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": {"name": name},
        "spec": {
            "policyName": name,
            "validationActions": ["Deny"],
            "matchResources": {"namespaceSelector": where},
        },
    }
    wrong = deployment("web", pages)
    del wrong["spec"]["template"]["spec"]["containers"][0]["securityContext"]
    try:
        cluster.admin.apply(policy, binding)

        def is_refused() -> bool:
            words = ("apply", "--dry-run=server", "--filename", "-")
            tried = namespace.person.try_(*words, stdin=json.dumps(wrong))
            return "denied request: say runAsUser" in tried.stderr

        cluster.wait_for(is_refused, "the policy is in force", 30)
        namespace.person.apply(deployment("web", pages))
    finally:
        for kind in ("validatingadmissionpolicybinding", "validatingadmissionpolicy"):
            cluster.admin.run("delete", kind, name, "--ignore-not-found")


def test_pods_outlive_restarts_of_the_api_server_and_the_kubelet(
    cluster: Cluster, namespace: Namespace, pages: Path
) -> None:
    host, person = f"web.{namespace.name}.test", namespace.person
    person.apply(deployment("web", pages), *reached("web", host))
    person.run("rollout", "status", "deployment/web", "--timeout=60s")
    cluster.wait_for(lambda: asked(cluster, host)[0] == 200, "the page is served", 10)
    before = person.run("get", "pods", "--output", "name")
    cluster.take_down("apiserver")
    try:
        assert "was refused" in person.try_("get", "pods").stderr
        assert asked(cluster, host)[0] == 200
    finally:
        cluster.bring_up("apiserver")
    cluster.restart("kubelet")
    assert person.run("get", "pods", "--output", "name") == before
    assert person.run("exec", "deployment/web", "--", "cat", "/site/index.html") == "hello\n"


def test_an_end_leaves_nothing_behind(cluster: Cluster) -> None:
    """Neither a stop, nor the end of the process that keeps a cluster."""
    name = f"gone-{os.getpid()}"
    for end in ("stop", "kill"):
        other = start.start(name)
        at = other.place
        other.admin.run("create", "deployment", "idle", "--image", images.BUSYBOX_IMAGE)
        pid = int(at.node_pid.read_text())
        if end == "stop":
            start.stop(at)
        else:
            os.kill(int(at.keeper_pid.read_text()), 9)
            time.sleep(0.5)
            start.sweep()
        assert not start.runs(pid)
        assert not at.directory.exists()
        assert not list(Path("/sys/fs/cgroup").glob(f"*/{at.cgroup}"))
        assert not (Path("/sys/class/net") / at.interface).exists()
        assert str(at.directory) not in Path("/proc/mounts").read_text()
        assert name not in subprocess.run(["ps", "-ef"], capture_output=True, text=True).stdout
