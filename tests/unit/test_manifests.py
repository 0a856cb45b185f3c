"""What Kubernetes is told of a stack: the objects that its compose file becomes."""

from __future__ import annotations

import re
import string
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given
from hypothesis import settings as settings_of_hypothesis
from hypothesis import strategies as st

from spinstack.errors import SpinstackError
from spinstack.platforms.kubernetes import containers, manifests, quantities
from tests.unit import stack_session
from tests.unit.kubernetes_stack import (
    IMAGE,
    PROJECT,
    container,
    objects,
    of,
    pod,
    read,
    settings,
    small,
)

SMALL_TMP = HealthCheck.function_scoped_fixture


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return stack_session.baked(tmp_path_factory.mktemp("baked"))


def test_the_template_becomes_all_that_it_needs_in_the_order_of_application(
    template: Path,
) -> None:
    found = objects(template)
    assert [(it["kind"], it["metadata"]["name"]) for it in found][1:] == [
        ("Service", "app"),
        ("Service", "web"),
        ("Deployment", "app"),
        ("Deployment", "web"),
        ("Ingress", "nightwatch-desi"),
    ]
    config = of(found, "ConfigMap")
    assert re.fullmatch(r"nightwatch-desi-web-[0-9a-f]{8}", config["metadata"]["name"])
    assert config["data"] == {"web_site.conf": (template / "web/site.conf").read_text()}
    for it in found:
        assert it["metadata"]["namespace"] == "nw"
        assert it["metadata"]["labels"]["app.kubernetes.io/part-of"] == "nightwatch-desi"
        assert it["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "spinstack"


def test_the_template_runs_as_the_centre_asks(template: Path) -> None:
    found = objects(template)
    for name in ("app", "web"):
        assert container(found, name)["securityContext"] == {
            "runAsUser": 41037,
            "runAsGroup": 58102,
            "runAsNonRoot": True,
            "privileged": False,
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        spec = pod(found, name)
        assert spec["securityContext"]["fsGroup"] == 58102
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert spec["automountServiceAccountToken"] is False
        assert spec["enableServiceLinks"] is False
        assert spec["imagePullSecrets"] == [{"name": "registry-nersc"}]
    assert container(found)["args"][-4:] == ["--uid", "41037", "--gid", "58102"]


def test_the_template_mounts_what_the_compose_file_mounts(template: Path) -> None:
    found = objects(template)
    volumes = {it["name"]: it for it in pod(found)["volumes"]}
    place = {"path": f"{PROJECT}/nightwatchtest/output", "type": "Directory"}
    assert volumes["static"]["hostPath"] == place
    mounts = {it["name"]: it for it in container(found)["volumeMounts"]}
    assert mounts["static"] == {"name": "static", "mountPath": "/app/static"}
    assert mounts["data"] == {"name": "data", "mountPath": "/app/data", "readOnly": True}
    assert volumes["tmp"]["emptyDir"] == {"medium": "Memory", "sizeLimit": "1Gi"}
    conf = next(it for it in container(found, "web")["volumeMounts"] if "subPath" in it)
    assert conf["mountPath"] == "/etc/nginx/site.conf"
    held = next(it for it in pod(found, "web")["volumes"] if it["name"] == conf["name"])
    assert held["configMap"]["items"] == [
        {"key": "web_site.conf", "path": conf["subPath"], "mode": 0o444}
    ]
    assert held["configMap"]["name"] == of(found, "ConfigMap")["metadata"]["name"]


def test_variables_are_those_of_the_env_file_and_no_image_replaces_another_service(
    template: Path,
) -> None:
    found = {it["name"]: it["value"] for it in container(objects(template))["env"]}
    assert found["STATIC_DIR"] == f"{PROJECT}/nightwatchtest/output"
    assert found["GROUP_ID"] == "58102"
    assert not [name for name in found if name.endswith("_IMAGE")]


def test_visitors_come_by_the_ingress_to_the_published_port(template: Path) -> None:
    found = objects(template, {"tls_secret": "cert"})
    told = of(found, "Ingress")["metadata"]["annotations"]
    assert told["nginx.ingress.kubernetes.io/proxy-body-size"] == "0", (
        "the stack's own limit counts"
    )
    spec = of(found, "Ingress")["spec"]
    host = "nightwatch-desi.nw.development.svc.spin.nersc.org"
    assert spec["ingressClassName"] == "nginx"
    assert spec["tls"] == [{"hosts": [host], "secretName": "cert"}]
    (rule,) = spec["rules"]
    assert rule["host"] == host
    (path,) = rule["http"]["paths"]
    assert path["backend"] == {"service": {"name": "web", "port": {"number": 8080}}}
    env = {it["name"]: it["value"] for it in container(found, "web")["env"]}
    assert "10.42.0.0/16" in env["TRUSTED_PROXIES"].split()
    assert "TRUSTED_PROXIES" not in {it["name"] for it in container(found)["env"]}


def test_without_a_host_there_is_no_ingress_and_nobody_whose_word_counts(template: Path) -> None:
    found = objects(template, {"cluster": "", "context": "kind"}, profile="generic")
    assert "Ingress" not in {it["kind"] for it in found}
    assert "TRUSTED_PROXIES" not in {it["name"] for it in container(found, "web")["env"]}
    assert "imagePullSecrets" not in pod(found)


def test_health_is_asked_at_the_start_and_then_again_and_again(template: Path) -> None:
    app = container(objects(template))
    ask = {"httpGet": {"path": "/healthz", "port": 5000}}
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert app[probe].items() >= ask.items()
    assert app["startupProbe"]["failureThreshold"] == 60
    assert app["readinessProbe"]["periodSeconds"] == 2
    assert app["livenessProbe"]["periodSeconds"] > app["readinessProbe"]["periodSeconds"]


def test_nothing_is_down_while_it_is_changed(template: Path) -> None:
    found = objects(template)
    spec = of(found, "Deployment", "web")["spec"]
    assert spec["replicas"] == 1
    assert spec["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}
    assert container(found, "web")["lifecycle"] == {"preStop": {"sleep": {"seconds": 5}}}
    assert pod(found, "web")["terminationGracePeriodSeconds"] > 30
    assert container(found, "web")["resources"]["requests"] == {"cpu": "50m", "memory": "128Mi"}


def test_pages_in_the_making_are_finished_before_the_container_ends(template: Path) -> None:
    found = objects(template)
    (shell, _, script) = container(found)["lifecycle"]["preStop"]["exec"]["command"]
    assert shell == "/bin/sh"
    assert script == "sleep 5; echo q > /tmp/uwsgi-commands; exec sleep 240"
    assert pod(found)["terminationGracePeriodSeconds"] > 5 + 240
    assert "harakiri = 240\n" in (template / "app/app.ini").read_text()


def test_the_same_stack_is_the_same_text_and_another_file_another_name(tmp_path: Path) -> None:
    directory = stack_session.baked(tmp_path)
    first = manifests.text(objects(directory))
    assert manifests.text(objects(directory)) == first
    with (directory / "web/site.conf").open("a") as conf:
        conf.write("# later\n")
    names = [of(it, "ConfigMap")["metadata"]["name"] for it in (objects(directory),)]
    assert names[0] not in first


def test_what_is_written_is_what_was_meant(template: Path) -> None:
    found = objects(template)
    assert list(yaml.safe_load_all(manifests.text(found))) == found


def test_a_user_id_that_is_missing_is_said(template: Path) -> None:
    with pytest.raises(SpinstackError, match="user id") as caught:
        objects(template, {"uid": 0})
    assert "add uid:" in str(caught.value.remedy)


# Lines of a service, a path in its container, and what stands there.
KEYS: list[tuple[str, str, Any]] = [
    ("user: '12:34'", "securityContext.runAsGroup", 34),
    ("user: '12'", "securityContext.runAsUser", 12),
    ("user: root", "securityContext.runAsUser", None),
    ("user: '0'", "securityContext.runAsNonRoot", None),
    ("cap_add: [net_bind_service]", "securityContext.capabilities.add", ["NET_BIND_SERVICE"]),
    ("cap_drop: [CAP_CHOWN]", "securityContext.capabilities.drop", ["CHOWN"]),
    ("read_only: false", "securityContext.readOnlyRootFilesystem", None),
    ("entrypoint: sh -c 'a b'", "command", ["sh", "-c", "a b"]),
    ("command: [a, 1, true]", "args", ["a", "1", "true"]),
    ("command: [echo, '$$(HOME)', '$$5']", "args", ["echo", "$$(HOME)", "$5"]),
    ("working_dir: /srv", "workingDir", "/srv"),
    ("tty: true\nstdin_open: true", "stdin", True),
    ("mem_limit: 512m", "resources.limits.memory", "512Mi"),
    ("mem_limit: 64m", "resources.requests.memory", "64Mi"),
    ("mem_reservation: 1g", "resources.requests.memory", "1Gi"),
    ("cpu_quota: 50000", "resources.limits.cpu", "500m"),
    ("cpu_quota: 2000", "resources.requests.cpu", "20m"),
    ("cpu_shares: 512", "resources.requests.cpu", "500m"),
    ("milli_cpu_reservation: 250", "resources.requests.cpu", "250m"),
    ("environment: {A: '$$(B) $$$$'}", "env", [{"name": "A", "value": "$$(B) $$$$"}]),
    ("expose: ['5000-5001', 53/udp]", "ports", [
        {"name": "tcp-5000", "containerPort": 5000, "protocol": "TCP"},
        {"name": "tcp-5001", "containerPort": 5001, "protocol": "TCP"},
        {"name": "udp-53", "containerPort": 53, "protocol": "UDP"},
    ]),
    ("tmpfs: '/run:size=64m,mode=1777'", "volumeMounts", [{"name": "run", "mountPath": "/run"}]),
]  # fmt: skip


@pytest.mark.parametrize(("lines", "path", "value"), KEYS)
def test_a_key_becomes_its_counterpart(tmp_path: Path, lines: str, path: str, value: Any) -> None:
    at: Any = container(objects(small(tmp_path, lines)))
    assert at["image"] == IMAGE
    for part in path.split("."):
        at = at.get(part) if at else None
    assert at == value


PODS: list[tuple[str, str, Any]] = [
    ("user: '12:34'\ngroup_add: [56]", "securityContext.supplementalGroups", [56]),
    ("extra_hosts: ['db:10.0.0.1', 'kv:10.0.0.1']", "hostAliases", [
        {"ip": "10.0.0.1", "hostnames": ["db", "kv"]}
    ]),
    ("dns_search: example.org\ndns_opt: ['ndots:1']", "dnsConfig", {
        "searches": ["example.org"], "options": [{"name": "ndots", "value": "1"}]
    }),
    ("hostname: here", "hostname", "here"),
    ("stop_grace_period: 1m30s", "terminationGracePeriodSeconds", 90),
    ("tmpfs: ['/run:size=64m']", "volumes", [
        {"name": "run", "emptyDir": {"medium": "Memory", "sizeLimit": "64Mi"}}
    ]),
    ("shm_size: 256m", "volumes", [
        {"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": "256Mi"}}
    ]),
    ("volumes: ['/scratch']", "volumes", [{"name": "scratch", "emptyDir": {}}]),
    ("secrets: [app.night.key]", "volumes", [{"name": "secrets", "projected": {
        "defaultMode": 0o444,
        "sources": [{"secret": {
            "name": "app.night.key", "items": [{"key": "app.night.key", "path": "app.night.key"}]
        }}],
    }}]),
]  # fmt: skip


@pytest.mark.parametrize(("lines", "path", "value"), PODS)
def test_a_key_becomes_its_counterpart_in_the_pod(
    tmp_path: Path, lines: str, path: str, value: Any
) -> None:
    at: Any = pod(objects(small(tmp_path, lines)))
    for part in path.split("."):
        at = at.get(part) if at else None
    assert at == value


def test_a_directory_of_files_is_mounted_with_all_that_is_in_it(tmp_path: Path) -> None:
    small(tmp_path, "volumes: ['./conf:/etc/app:ro']")
    (tmp_path / "conf/sub").mkdir()
    (tmp_path / "conf/sub/run.sh").write_text("#!/bin/sh\n")
    (tmp_path / "conf/sub/run.sh").chmod(0o755)
    (tmp_path / "conf/picture").write_bytes(b"\xff\0")
    (tmp_path / "conf/.hidden").write_text("no")
    found = objects(tmp_path)
    config = of(found, "ConfigMap")
    assert config["binaryData"] == {"conf_picture": "/wA="}
    (volume,) = pod(found)["volumes"]
    listed = {it["path"]: (it["key"], it["mode"]) for it in volume["configMap"]["items"]}
    assert listed == {
        "a.conf": ("conf_a.conf", 0o444),
        "picture": ("conf_picture", 0o444),
        "sub/run.sh": ("conf_sub_run.sh", 0o555),
    }
    (mount,) = container(found)["volumeMounts"]
    assert mount == {"name": volume["name"], "mountPath": "/etc/app", "readOnly": True}


def test_a_named_volume_is_a_claim_with_one_writer_at_a_time(tmp_path: Path) -> None:
    small(tmp_path, "volumes: ['app.night:/var/lib/app']")
    found = objects(tmp_path)
    assert of(found, "PersistentVolumeClaim")["spec"] == {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": "10Gi"}},
        "storageClassName": "nfs-client-vast",
    }
    assert of(found, "Deployment")["spec"]["strategy"] == {"type": "Recreate"}
    (volume,) = pod(found)["volumes"]
    assert volume["persistentVolumeClaim"] == {"claimName": "app.night"}
    with (tmp_path / "docker-compose.yml").open("a") as compose:
        compose.write("volumes: {app.night: {driver_opts: {size: 50g}}}\n")
    claim = of(objects(tmp_path), "PersistentVolumeClaim")
    assert claim["spec"]["resources"]["requests"]["storage"] == "50Gi"


def expanded(text: str, variables: dict[str, str]) -> str:
    """As Kubernetes expands it (third_party/forked/golang/expansion)."""
    found, at = "", 0
    while at < len(text):
        if text[at] != "$" or at + 1 == len(text):
            found += text[at]
        elif text[at + 1] == "$":
            found, at = found + "$", at + 1
        elif text[at + 1] == "(" and ")" in text[at:]:
            end = text.index(")", at)
            name = text[at + 2 : end]
            found, at = found + variables.get(name, f"$({name})"), end
        else:
            found += "$"
        at += 1
    return found


@given(st.text(alphabet="$()AB ", max_size=12))
def test_a_word_reaches_the_program_as_it_is_written(text: str) -> None:
    assert expanded(containers.literal(text), {"A": "x", "AB": "y", "": "z"}) == text


@given(st.dictionaries(st.text(string.ascii_letters, min_size=1), st.text(), max_size=4))
def test_any_text_is_read_back_from_what_is_written(data: dict[str, str]) -> None:
    told: list[dict[str, Any]] = [{"kind": "ConfigMap", "data": data, "list": [*data.values()]}]
    assert list(yaml.safe_load_all(manifests.text(told))) == told


PATHS = st.text(alphabet="ab_./-é ", min_size=1, max_size=6).map(
    lambda text: "/".join(part for part in text.split("/") if part.strip(".") and part[0] != ".")
)


@settings_of_hypothesis(suppress_health_check=[SMALL_TMP], max_examples=40)
@given(names=st.sets(PATHS.filter(bool), min_size=1, max_size=5))
def test_no_two_files_have_one_key(
    tmp_path_factory: pytest.TempPathFactory, names: set[str]
) -> None:
    directory = small(tmp_path_factory.mktemp("s"), "volumes: ['./data:/data:ro']")
    made = {}
    for name in sorted(names):
        path = directory / "data" / name
        if any(str(path).startswith(f"{it}/") or str(it).startswith(f"{path}/") for it in made):
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
        made[path] = name
    config = of(objects(directory), "ConfigMap")["data"]
    assert sorted(config.values()) == sorted(made.values())
    for key in config:
        assert re.fullmatch(r"[-._a-zA-Z0-9]{1,253}", key)
        assert not key.startswith("..")


@pytest.mark.parametrize(
    ("written", "bytes_"),
    [("512m", 512 << 20), ("1.5g", 3 << 29), (1024, 1024), ("64 MiB", 64 << 20), ("1kb", 1024)],
)
def test_sizes_are_counted_as_docker_does(written: Any, bytes_: int) -> None:
    assert quantities.bytes_of(written) == bytes_


def test_a_destination_elsewhere_is_no_place_for_manifests(tmp_path: Path) -> None:
    small(tmp_path, "user: '1:2'")
    loaded = settings(tmp_path, platform="cattle", environment="dev-cattle")
    with pytest.raises(ValueError, match="no destination on Kubernetes"):
        manifests.objects(read(loaded), loaded.destination())
