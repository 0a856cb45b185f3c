"""A pretend Spin in a real Kubernetes: what `check` foretells the server refuses, what it lets
through is deployed, and nothing stays behind."""

from __future__ import annotations

import base64
import json
import shutil
import signal
import subprocess
import tempfile
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from spin_rehearsal import base_images
from spin_rehearsal.kubernetes import policies
from spinstack.images import engine
from spinstack.rules import centre
from spinstack.transport.runner import LocalRunner
from tests.cluster import beside
from tests.cluster.cluster import Cluster, Kubectl
from tests.unit import kubernetes_stack

from .stage import STACK, Stage

TO = ("--to", "spin-rehearsal")
KINDS = "validatingadmissionpolicies,validatingadmissionpolicybindings,"
KINDS += "mutatingadmissionpolicies,mutatingadmissionpolicybindings,namespaces"


@dataclass(frozen=True)
class Rehearsed(Stage):
    """A person's machine with an administrator's kubeconfig. `name`: of their rehearsal."""

    cluster: Cluster
    name: str

    def environment(self, **more: str) -> dict[str, str]:
        found = super().environment(**more)
        return {**found, "PATH": f"{found['PATH']}:{self.cluster.kubectl.parent}"}

    @property
    def namespace(self) -> str:
        return f"spin-rehearsal-{self.name}"

    @property
    def private(self) -> Path:
        return self.home / ".local" / "state" / "spinstack" / "rehearsal-kubernetes" / self.name

    @property
    def settings(self) -> dict[str, Any]:
        """Of the destination, as `start` wrote them."""
        found = yaml.safe_load((self.private / "destination.yml").read_text())
        assert isinstance(found, dict)
        return found

    @property
    def files(self) -> str:
        """The project's directory: what may be mounted is there."""
        return str(self.settings["project_dir"])

    @property
    def member(self) -> Kubectl:
        return Kubectl(self.cluster.kubectl, self.private / "kubeconfig")

    def words(self, verb: str) -> tuple[str, ...]:
        return (f"rehearsal.{verb}", "--platform", "kubernetes", "--name", self.name)

    def start_words(self, registry: str = "localhost:5001") -> tuple[str, ...]:
        """`registry`: there or not. The node is no container of an engine, whose registry would be
        the rehearsal's own."""
        context = self.cluster.admin.context or "development"
        return (*self.words("start"), "--context", context, "--registry", registry, "--yes")

    def start(self) -> str:
        return self.done(*self.start_words()).err

    def left(self) -> list[str]:
        """What the cluster has of the rehearsal."""
        listed = self.cluster.admin.run("get", KINDS, "--output", "name").split("\n")
        return [line for line in listed if self.namespace in line]


@pytest.fixture(scope="module")
def rehearsed(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rehearsed]:
    """A rehearsal that was started."""
    root = tmp_path_factory.mktemp("spin")
    with tempfile.TemporaryDirectory(dir="/var/tmp", prefix="spinstack-spin-") as storage:
        Path(storage).chmod(0o755)
        name = f"t{uuid.uuid4().hex[:6]}"
        made = Rehearsed(root / "home", Path(storage), root / "work", cluster, name)
        made.work.mkdir()
        made.bake(STACK, 60037)
        (made.home / ".kube").mkdir(parents=True)
        shutil.copy(cluster.admin.kubeconfig, made.home / ".kube" / "config")
        try:
            made.start()
            yield made
        finally:
            made.invoke(*made.words("stop"))


def test_a_start_tells_how_to_deploy_and_may_be_repeated(rehearsed: Rehearsed) -> None:
    before = rehearsed.left()
    told = rehearsed.start()
    assert f"spin-rehearsal: {{include: {rehearsed.private}/destination.yml}}" in told
    assert f"STACK.{rehearsed.namespace}.localhost" in told
    assert sorted(rehearsed.left()) == sorted(before)
    assert (rehearsed.private / "kubeconfig").stat().st_mode & 0o777 == 0o600
    shown = json.loads(rehearsed.done(*rehearsed.words("status"), "--json").out)
    assert (shown["running"], shown["ingress_class"]) == (True, "nginx")


def test_its_member_is_one_of_a_project(rehearsed: Rehearsed) -> None:
    member = rehearsed.member
    assert "cannot list resource" in member.try_("get", "nodes").stderr
    assert "cannot list resource" in member.try_("get", "pods", "--namespace", "default").stderr
    assert member.get("secret", "registry-nersc")["type"] == "kubernetes.io/dockerconfigjson"
    policy = "validatingadmissionpolicies"
    assert member.try_("auth", "can-i", "delete", policy).stdout.strip() == "no"


# Lines of a service, and the rule that they break; `FILES` stands for what may be mounted. None:
# they break none.
FAULTS = [
    ("cap_drop: [ALL]", None),
    ("user: '1:2'\nvolumes: ['FILES/x:/d:ro']\ncap_drop: [ALL]\ncap_add: [NET_BIND_SERVICE]", None),
    ("user: '0'\ncap_drop: [ALL]\ncap_add: [CHOWN]", None),
    ("volumes: ['FILES/x:/d:ro']\ncap_drop: [ALL]", "user-numeric"),
    ("user: '0:2'\nvolumes: ['FILES/x:/d:ro']\ncap_drop: [ALL]", "numeric-id"),
    ("user: '1:0'\nvolumes: ['FILES/x:/d:ro']\ncap_drop: [ALL]", "numeric-id"),
    (
        "user: '1:2'\ngroup_add: ['0']\nvolumes: ['FILES/x:/d:ro']\ncap_drop: [ALL]",
        "numeric-id",
    ),
    ("user: '1:2'", "cap-drop"),
    ("user: '1:2'\nvolumes: ['FILES/x:/d:ro']\ncap_drop: [ALL]\ncap_add: [CHOWN]", "cap-add"),
    ("cap_drop: [ALL]\ncap_add: [SYS_ADMIN]", "cap-add"),
    ("user: '1:2'\nvolumes: ['/etc/x:/d:ro']\ncap_drop: [ALL]", "path-mountable"),
]


@pytest.mark.parametrize(("lines", "rule"), FAULTS)
def test_the_server_refuses_what_check_finds_in_a_service(
    rehearsed: Rehearsed, tmp_path: Path, lines: str, rule: str | None
) -> None:
    settings = {**rehearsed.settings, "user": "alice"}
    cluster = {"cluster": "development", **settings.pop("kubernetes")}
    directory = kubernetes_stack.small(tmp_path, lines.replace("FILES", rehearsed.files))
    found = kubernetes_stack.check(directory, cluster, **settings)
    errors = {one.rule: one for one in found if one.severity == "error"}
    made = kubernetes_stack.objects(directory, cluster, **settings)
    deployment = next(one for one in made if one["kind"] == "Deployment")
    said = refused(rehearsed, deployment)
    if rule is None:
        assert (set(errors), said) == (set(), "")
        return
    assert set(errors) == {rule}
    assert f"[{rule}]" in said
    if rule in ("cap-add", "cap-drop", "user-numeric", "path-mountable"):
        assert errors[rule].remedy in said


def refused(rehearsed: Rehearsed, *objects: dict[str, Any]) -> str:
    """What the server says to the member, nothing if it would take them."""
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
    words = ("apply", "--dry-run=server", "--namespace", rehearsed.namespace, "-f", "-")
    return rehearsed.member.try_(*words, stdin=text).stderr


def fine(files: str) -> dict[str, Any]:
    """A pod that nothing is wrong with."""
    context = {
        "allowPrivilegeEscalation": False,
        "runAsUser": 1,
        "capabilities": {"drop": ["ALL"]},
    }
    mounted = {"name": "d", "mountPath": "/d"}
    one = {"name": "a", "image": "a:1", "securityContext": context, "volumeMounts": [mounted]}
    path = {"path": files, "type": "Directory"}
    return {"containers": [one], "volumes": [{"name": "d", "hostPath": path}]}


def as_kind(kind: str, spec: dict[str, Any]) -> dict[str, Any]:
    """An object of which such pods are made."""
    labels = {"app": "a"}
    template = {"metadata": {"labels": labels}, "spec": spec}
    it: dict[str, Any] = {"kind": kind, "metadata": {"name": "a"}}
    if kind == "Pod":
        return {"apiVersion": "v1", **it, "spec": spec}
    if kind == "CronJob":
        job = {"template": {"spec": {**spec, "restartPolicy": "Never"}}}
        schedule = {"schedule": "0 0 * * *", "jobTemplate": {"spec": job}}
        return {"apiVersion": "batch/v1", **it, "spec": schedule}
    selector = {"matchLabels": labels}
    return {"apiVersion": "apps/v1", **it, "spec": {"selector": selector, "template": template}}


# What is put where in such a pod, and what is said.
BROKEN: list[tuple[tuple[str | int, ...], Any, str]] = [
    (("hostNetwork",), True, "(write hostNetwork: false)"),
    (("hostPID",), True, "(write hostPID: false)"),
    (("hostIPC",), True, "(write hostIPC: false)"),
    (("containers", 0, "ports"), [{"containerPort": 80, "hostPort": 80}], "(remove hostPort)"),
    (("containers", 0, "securityContext", "privileged"), True, "(write privileged: false)"),
    (
        ("containers", 0, "securityContext", "allowPrivilegeEscalation"),
        None,
        "(write allowPrivilegeEscalation: false)",
    ),
    (
        ("containers", 0, "securityContext", "seccompProfile"),
        {"type": "Unconfined"},
        "(write seccompProfile.type: RuntimeDefault or Localhost)",
    ),
    (
        ("securityContext",),
        {"seccompProfile": {"type": "Unconfined"}},
        "(write seccompProfile.type: RuntimeDefault or Localhost)",
    ),
    (("volumes", 0, "hostPath", "type"), "DirectoryOrCreate", "(write hostPath.type: Directory)"),
    (("volumes", 0, "hostPath", "type"), None, "(write hostPath.type: Directory)"),
]


def changed(spec: dict[str, Any], path: tuple[str | int, ...], value: Any) -> dict[str, Any]:
    at: Any = spec
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = value
    return spec


MADE_OF = ("Pod", "Deployment", "CronJob")


def test_a_pod_that_keeps_the_rules_is_let_through(rehearsed: Rehearsed) -> None:
    pod = fine(rehearsed.files)
    assert refused(rehearsed, *(as_kind(kind, pod) for kind in MADE_OF)) == ""


@pytest.mark.parametrize(("path", "value", "said"), BROKEN)
def test_no_container_leaves_its_isolation(
    rehearsed: Rehearsed, path: tuple[str | int, ...], value: Any, said: str
) -> None:
    broken = changed(fine(rehearsed.files), path, value)
    if path == ("containers", 0, "securityContext", "privileged"):
        # Kubernetes itself refuses both together.
        changed(broken, ("containers", 0, "securityContext", "allowPrivilegeEscalation"), True)
        said = "[kubernetes-isolation]"
    told = refused(rehearsed, *(as_kind(kind, broken) for kind in MADE_OF))
    assert told.count(f"'{rehearsed.namespace}-kubernetes-isolation' denied") == len(MADE_OF)
    assert told.count(said) == len(MADE_OF)


def test_an_init_container_has_the_same_rules(rehearsed: Rehearsed) -> None:
    spec = fine(rehearsed.files)
    first = json.loads(json.dumps(spec["containers"][0]))
    first["securityContext"]["runAsUser"] = 0
    spec["initContainers"] = [{**first, "name": "first"}]
    told = refused(rehearsed, as_kind("Deployment", spec))
    assert "container first runs as the user root" in told and "[numeric-id]" in told


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"type": "NodePort"}, "(write type: ClusterIP or LoadBalancer or ExternalName)"),
        ({"externalIPs": ["192.0.2.1"]}, "(remove externalIPs)"),
        ({"type": "LoadBalancer"}, ""),
        ({}, ""),
    ],
)
def test_services_take_no_port_of_the_node(
    rehearsed: Rehearsed, spec: dict[str, Any], said: str
) -> None:
    it = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a"}}
    told = refused(rehearsed, {**it, "spec": {"ports": [{"port": 80}], **spec}})
    assert said in told and bool(told) == bool(said)


def test_every_rule_that_is_a_policy_was_seen_to_refuse() -> None:
    rules = {one.rule for one in policies.policies(centre.load(platform="kubernetes"))}
    assert rules <= {rule for _, rule in FAULTS} | {"kubernetes-isolation"}
    fields = [one for one in centre.load().kubernetes.isolation if one.kind == "Pod"]
    assert all(any(one.remedy in said for _, _, said in BROKEN) for one in fields)


def test_other_namespaces_are_not_judged(rehearsed: Rehearsed) -> None:
    spec = changed(fine("/etc"), ("hostNetwork",), True)
    text = json.dumps(as_kind("Deployment", spec))
    words = ("apply", "--dry-run=server", "--namespace", "default", "-f", "-")
    assert rehearsed.cluster.admin.try_(*words, stdin=text).stderr == ""


LOGIN = ("demo", "not-for-everybody")


@pytest.fixture(scope="module")
def deployed(rehearsed: Rehearsed) -> Iterator[str]:
    """The template's stack, deployed there; its address."""
    host = f"{STACK}.{rehearsed.namespace}.localhost"
    with ExitStack() as parts:
        registry = parts.enter_context(
            beside.registry(rehearsed.home, rehearsed.cluster, login=LOGIN)
        )
        user, password = LOGIN
        login = ("docker", "login", "--username", user, "--password-stdin", registry)
        subprocess.run(login, input=password, text=True, env=rehearsed.environment(), check=True)
        parts.enter_context(beside.known_as(host, rehearsed.cluster.ingress))
        rehearsed.done(*rehearsed.start_words(registry))
        runner = LocalRunner()
        images = base_images.ensure(runner, engine.find(runner).name, print)
        path = rehearsed.stack / "invoke.yaml"
        settings = yaml.safe_load(path.read_text())
        settings["spinstack"]["destinations"]["spin-rehearsal"] = {
            "include": str(rehearsed.private / "destination.yml"),
            "build_args": images,
            "healthy_within": 120,
        }
        path.write_text(yaml.safe_dump(settings))
        yield rehearsed.done("deploy", *TO).out.strip()


@pytest.mark.real("engine", "registry", "root")
def test_the_templates_stack_is_deployed_and_stamped(rehearsed: Rehearsed, deployed: str) -> None:
    assert deployed == f"http://{STACK}.{rehearsed.namespace}.localhost/"
    app = rehearsed.member.get("deployment", "app")
    assert app["spec"]["template"]["metadata"]["annotations"]["nersc.gov/uid"] == "41037"
    ingress = rehearsed.member.get("ingress", STACK)
    assert ingress["metadata"]["annotations"]["nersc.gov/clustername"] == "development"
    assert "already up to date" in rehearsed.done("deploy", *TO).err
    assert "nersc.gov" not in rehearsed.done("diff", *TO).out


@pytest.mark.real("engine", "registry", "root")
def test_images_are_pulled_with_the_secret_that_the_namespace_has(
    rehearsed: Rehearsed, deployed: str
) -> None:
    registry = rehearsed.settings["registry"]
    with pytest.raises(urllib.error.HTTPError, match="401"):
        urllib.request.urlopen(f"http://{registry}/v2/")
    app = rehearsed.member.get("deployment", "app")
    assert app["spec"]["template"]["spec"]["imagePullSecrets"] == [{"name": "registry-nersc"}]
    held = rehearsed.member.get("secret", "registry-nersc")["data"][".dockerconfigjson"]
    auths = json.loads(base64.b64decode(held))["auths"]
    assert base64.b64decode(auths[registry]["auth"]).decode() == ":".join(LOGIN)


PATCH = """\
patches:
  - target: {kind: Deployment, name: app}
    patch: '[{"op": "add", "path": "/spec/template/spec/hostNetwork", "value": true}]'
"""


@pytest.mark.real("engine", "registry", "root")
def test_a_deploy_tells_the_rule_and_changes_nothing(rehearsed: Rehearsed, deployed: str) -> None:
    additions = rehearsed.stack / "kubernetes"
    additions.mkdir()
    (additions / "kustomization.yaml").write_text(PATCH)
    before = rehearsed.member.get("deployment", "app")["metadata"]["generation"]
    releases = rehearsed.invoke("releases", *TO).out
    try:
        failed = rehearsed.invoke("deploy", *TO)
    finally:
        shutil.rmtree(additions)
    assert failed.code == 1, failed
    assert "a policy of the cluster refuses it: hostNetwork must be false" in failed.err
    assert "(write hostNetwork: false) [kubernetes-isolation]" in failed.err
    assert rehearsed.member.get("deployment", "app")["metadata"]["generation"] == before
    assert rehearsed.invoke("releases", *TO).out == releases


def test_what_a_killed_start_left_is_found_again(rehearsed: Rehearsed) -> None:
    other = Rehearsed(
        rehearsed.home, rehearsed.storage, rehearsed.work, rehearsed.cluster, "killed"
    )
    words = ("invoke", *other.start_words())
    with subprocess.Popen(words, cwd=other.stack, env=other.environment()) as process:
        rehearsed.cluster.wait_for(lambda: bool(other.left()), "the namespace is made", 60)
        process.send_signal(signal.SIGKILL)
    assert other.left() and not (other.private / "destination.yml").exists()
    other.start()
    assert refused(other, as_kind("Pod", fine(other.files))) == ""
    other.done(*other.words("stop"))
    assert other.left() == []
    assert not other.private.exists()


def test_a_stop_leaves_nothing_behind(rehearsed: Rehearsed) -> None:
    rehearsed.done(*rehearsed.words("stop"))
    assert rehearsed.left() == []
    assert not rehearsed.private.exists()
    assert not list(rehearsed.storage.iterdir())
    again = rehearsed.done(*rehearsed.words("stop"))
    assert f"no rehearsal '{rehearsed.name}'" in again.err
    assert rehearsed.left() == []
