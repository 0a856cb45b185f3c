"""`invoke check` for a destination on Kubernetes: what is lost is said, and what only Spin's first
generation asked for is not."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from spinstack.config import settings as config_settings
from spinstack.config.kubernetes import NO_PROJECT_DIR
from spinstack.rules.finding import Finding
from spinstack.setup import settings as setup_settings
from tests.unit import stack_session
from tests.unit.kubernetes_stack import check, small
from tests.unit.test_check_laptop import replaced

COMPOSE = "docker-compose.yml"
GENERIC: dict[str, Any] = {"profile": "generic"}
ANYWHERE = {"cluster": "", "context": "kind", "ingress_host": "night.example.org"}


@pytest.fixture(scope="module")
def baked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return stack_session.baked(tmp_path_factory.mktemp("baked"))


@pytest.fixture
def directory(baked: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(baked, tmp_path / baked.name))


def test_the_template_is_clean(directory: Path) -> None:
    assert check(directory) == []
    assert check(directory, ANYWHERE, **GENERIC) == []


# Keys of a service, and whether they are an error; None: nothing is said.
KEYS: list[tuple[str, str | None]] = [
    ("retain_ip: true", None),
    ("restart: always", None),
    ("network_mode: bridge", None),
    ("privileged: false", None),
    ("links: [web]", None),
    ("security_opt: ['no-new-privileges']", None),
    ("volume_driver: rancher-nfs", None),
    ("depends_on: [web]", "warning"),
    ("ulimits: {nofile: 1024}", "warning"),
    ("sysctls: {net.core.somaxconn: 1024}", "warning"),
    ("logging: {driver: journald}", "warning"),
    ("stop_signal: SIGINT", "warning"),
    ("labels: {io.rancher.scheduler.affinity:host_label: x=y}", "warning"),
    ("labels: {'a b': c}", "warning"),
    ("oom_score_adj: 5", "warning"),
    ("metadata: {a: b}", "warning"),
    ("links: ['web:site']", "error"),
    ("network_mode: host", "error"),
    ("privileged: true", "error"),
    ("pid: host", "error"),
    ("devices: ['/dev/fuse:/dev/fuse']", "error"),
    ("restart: 'no'", "error"),
    ("volumes_from: [web]", "error"),
    ("extends: {service: web}", "error"),
    ("type: loadBalancerService", "error"),
]


@pytest.mark.parametrize(("line", "severity"), KEYS)
def test_a_key_without_a_counterpart_is_never_left_out_in_silence(
    tmp_path: Path, line: str, severity: str | None
) -> None:
    found = [it for it in check(small(tmp_path, line)) if it.rule == "kubernetes-key"]
    where = f"{COMPOSE}:5"
    assert [(it.where, it.severity) for it in found] == ([(where, severity)] if severity else [])
    assert all(it.remedy for it in found)


@pytest.mark.parametrize(
    ("line", "rule", "remedy"),
    [
        ("healthcheck: {test: 'true'}", "compose-key", "use services: in invoke.yaml"),
        ("comand: x", "compose-key", "did you mean command?"),
        ("read_only: 'yes'", "compose-type", "read_only must be true or false"),
        ("environment: {A: 1e3}", "compose-text", "quote the value"),
        ("hostname: My_Host", "kubernetes-name", "lower-case"),
        ("secrets: [My_Key]", "kubernetes-name", "lower-case"),
        ("volumes: ['my_data:/data']", "kubernetes-name", "lower-case"),
        ("environment: {'a b': c}", "kubernetes-name", "rename it"),
        ("user: alice", "numeric-id", "the number"),
        ("cap_add: [SYS_ADMIN]", "cap-add", "allowed here"),
        ("ports: ['80:8080', '81:8081']", "kubernetes-ports", "write it under expose:"),
        ("volumes: ['/global/homes/a:/data']\nuser: '1:2'", "path-mountable", "/global/cfs"),
        ("volumes: ['/global/cfs/cdirs/desi/x/y:/data:ro']\nuser: '0:2'", "numeric-id", "${UID}"),
        ("build: .", "compose-build", "list its directory below images:"),
    ],
)  # fmt: skip
def test_what_would_be_refused_is_said_before(
    tmp_path: Path, line: str, rule: str, remedy: str
) -> None:
    if "cap_" not in line:
        line += "\ncap_drop: [ALL]"
    found = {it.rule: it for it in check(small(tmp_path, line))}
    assert rule in found, found
    assert remedy in found[rule].remedy


def rules(found: list[Finding]) -> set[str]:
    return {it.rule for it in found}


def test_what_only_the_first_generation_asked_for_is_not_asked(tmp_path: Path) -> None:
    """Names of roles, open ports, shared lists of names, the centre's registries."""
    lines = "ports: ['80:8080']\nsecrets: [key]\nvolumes: ['data:/data']\ncap_drop: [ALL]"
    lines += "\nuser: '999:999'"
    directory = small(tmp_path, lines, name="frontend")
    replaced(directory / COMPOSE, "registry.nersc.gov/alice/app:1.0", "quay.io/alice/app:1.0")
    assert rules(check(directory)) == {"health-check"}


def test_a_container_without_global_files_may_be_root_and_drops_its_capabilities(
    tmp_path: Path,
) -> None:
    directory = small(tmp_path, "user: '0'\ncap_add: [CHOWN]")
    assert rules(check(directory)) == {"health-check", "cap-drop"}
    assert rules(check(directory, ANYWHERE, **GENERIC)) == {"health-check"}


def test_elsewhere_no_rule_of_spin_holds(tmp_path: Path) -> None:
    lines = "volumes: ['/srv/data:/data']\nexpose: ['80']\ncap_add: [SYS_CHROOT]"
    directory = small(tmp_path, lines, name="cache")
    assert rules(check(directory, ANYWHERE, **GENERIC)) == {"health-check", "mount-writable"}


def test_a_user_id_is_asked_for_where_the_compose_file_needs_it(directory: Path) -> None:
    (found,) = check(directory, {"uid": 0})
    assert found.rule == "uid-unset"
    assert "kubernetes.uid" in found.where
    assert "id -u" in found.remedy


def test_relative_directories_need_a_project_directory(directory: Path) -> None:
    found = check(directory, project_dir=NO_PROJECT_DIR)
    assert rules(found) == {"path-relative"}
    assert {it.where for it in found} == {
        f"stack.env:{number} ({name})"
        for number, name in (
            (14, "STATIC_DIR"),
            (17, "DATA_DIR"),
            (20, "NIGHTWATCH_DIR"),
            (21, "DESIMODEL_DIR"),
            (22, "DESIUTIL_DIR"),
        )
    }


def test_a_port_that_another_service_uses_is_listed(directory: Path) -> None:
    number = replaced(directory / COMPOSE, "      - '5001'\n", "")
    (found,) = check(directory)
    assert found.rule == "port-closed"
    assert found.where == f"{COMPOSE}:{number - 2}"
    assert found.remedy == "add '5001' to expose: of app"


def test_a_site_without_a_name_is_said_to_have_none(directory: Path) -> None:
    (found,) = check(directory, {**ANYWHERE, "ingress_host": ""}, **GENERIC)
    assert (found.rule, found.severity) == ("kubernetes-ports", "warning")
    assert "ingress_host" in found.where


def test_files_that_no_config_map_holds(tmp_path: Path) -> None:
    directory = small(tmp_path, "volumes: ['./conf:/conf:ro']\ncap_drop: [ALL]")
    (directory / "conf" / "large").write_bytes(b"x" * 1_048_577)
    assert "kubernetes-config" in rules(check(directory))


def test_a_cluster_of_its_own_is_not_reached_by_the_context_of_all(tmp_path: Path) -> None:
    """`--to dev` would change production."""
    written = {
        "stack": "demo",
        "destination": "dev",
        "registry": "registry.nersc.gov",
        "platform": "kubernetes",
        "kubernetes": {"context": "mine", "cluster": "production", "namespace": "nw"},
        "destinations": {
            "dev": {"kubernetes": {"cluster": "development"}},
            "both": {"kubernetes": {"cluster": "development", "context": "other"}},
            "prod": {"kubernetes": {"namespace": "desi"}},
        },
    }
    found = config_settings.load({"spinstack": written}, tmp_path)
    contexts = {name: found.destination(name).cluster.context for name in ("dev", "both", "prod")}
    assert contexts == {"dev": "development", "both": "other", "prod": "mine"}
    layers = [setup_settings.Layer({"spinstack": written}, None, "invoke.yaml")]
    rows = setup_settings.settings(layers, found, found.destination("dev"))
    shown = {row.name: row.value for row in rows}
    assert shown["kubernetes.cluster"] == "development"
    assert "kubernetes.context" not in shown
