"""What `invoke check` advises for a stack on Kubernetes, done to the letter where it says, removes
the finding, and makes nothing else wrong."""

# ruff: noqa: E501 - a table of remedies reads best with one remedy a line

from __future__ import annotations

from pathlib import Path

import pytest

from spinstack.config.kubernetes import NO_PROJECT_DIR
from tests.unit.kubernetes_stack import check, small
from tests.unit.older_stack import made_older
from tests.unit.test_check_kubernetes import COMPOSE, baked, directory
from tests.unit.test_check_laptop import replaced
from tests.unit.test_check_remedies import follow

__all__ = ["baked", "directory"]

ALL = "\ncap_drop: [ALL]"

# Rule; the lines that are planted; words of the remedy; what is replaced where the finding is
# (None: the first planted line), and by what. A third part names another file.
REMEDIES: list[tuple[str, str, str, tuple[str | None, str] | tuple[str, str, str]]] = [
    ("kubernetes-key", "depends_on: [web]", "remove it", (None, "")),
    ("kubernetes-key", "ulimits: {nofile: 1024}", "remove it", (None, "")),
    ("kubernetes-key", "logging: {driver: journald}", "remove it", (None, "")),
    ("kubernetes-key", "network_mode: host", "remove it", (None, "")),
    ("kubernetes-key", "privileged: true", "remove it", (None, "")),
    ("kubernetes-key", "labels: {io.rancher.scheduler.affinity:host_label: x=y}", "remove it", ("io.rancher.scheduler.affinity:host_label: x=y", "")),
    ("kubernetes-key", "labels: {'a b': c}", "letters, digits and - _ .", ("'a b'", "a-b")),
    ("kubernetes-key", "links: ['web:site']", "use its own name, web", ("'web:site'", "web")),
    ("kubernetes-name", "hostname: My_Host", "lower-case letters, digits and hyphens", ("My_Host", "my-host")),
    ("kubernetes-name", "secrets: [My_Key]", "lower-case letters, digits, hyphens and dots", ("My_Key", "my.key")),
    ("kubernetes-name", "volumes: ['my_data:/data']", "lower-case letters, digits, hyphens and dots", ("my_data", "my-data")),
    ("kubernetes-name", "environment: {'a b': c}", "rename it", ("'a b'", "AB")),
    ("volume-owner", "volumes: ['data:/data']", "user: '999:999'", ("volumes:", "user: '999:999'\n    volumes:")),
    ("kubernetes-ports", "ports: ['80:8080', '81:8081']", "write it under expose: instead", (", '81:8081']", "]\n    expose: ['8081']")),
    ("kubernetes-config", "volumes: ['./big.html:/srv/big.html:ro']", "put them in the image", (None, "")),
    ("kubernetes-config", "volumes: ['./big.html:/srv/big.html:ro']\nuser: '1000:1'", "mount a directory of the global file system", ("./big.html", "/global/cfs/cdirs/desi/pages")),
]  # fmt: skip


@pytest.mark.parametrize(
    ("rule", "planted", "words", "change"),
    REMEDIES,
    ids=[f"{row[0]}-{number}" for number, row in enumerate(REMEDIES)],
)
def test_a_remedy_done_to_the_letter_where_it_says_works(
    tmp_path: Path,
    rule: str,
    planted: str,
    words: str,
    change: tuple[str | None, str] | tuple[str, str, str],
) -> None:
    directory = small(tmp_path, planted + ALL)
    (directory / "big.html").write_bytes(b"\xff" * 1_100_000)
    before = check(directory)
    named = next(found for found in before if found.rule == rule)
    assert words in named.remedy, named.line()
    follow(directory, named, planted.partition("\n")[0], change)
    after = check(directory)
    assert rule not in {found.rule for found in after}, after
    assert {found.rule for found in after} <= {found.rule for found in before}, after


@pytest.mark.parametrize("told", [{}, {"project_dir": "/global/cfs/cdirs/desi"}])
def test_a_relative_directory_gets_a_full_path_or_a_project_directory(
    tmp_path: Path, told: dict[str, str]
) -> None:
    directory = small(tmp_path, "volumes: ['${DIR}:/data:ro']\nuser: '1:1'" + ALL, env="DIR=data\n")
    found = check(directory, project_dir=NO_PROJECT_DIR)
    (named,) = [it for it in found if it.rule == "path-relative"]
    assert named.remedy == "write its full path, or set project_dir: at the destination"
    if not told:
        follow(directory, named, "", ("data", "/global/cfs/cdirs/desi/data"))
    after = check(directory, **{"project_dir": NO_PROJECT_DIR, **told})
    assert {it.rule for it in after} <= {it.rule for it in found} - {"path-relative"}


def test_a_port_that_nginx_forwards_to_is_opened(directory: Path) -> None:
    replaced(directory / COMPOSE, "'5001'", "'5009'")
    (named,) = check(directory)
    assert (named.rule, named.remedy) == ("port-closed", "add '5001' to expose: of app")
    replaced(directory / COMPOSE, "- '5009'", "- '5001'")
    assert check(directory) == []


def test_an_addition_that_kubectl_could_not_read_is_put_right(tmp_path: Path) -> None:
    directory = small(tmp_path, "cap_drop: [ALL]")
    (directory / "kubernetes").mkdir()
    wrong = directory / "kubernetes" / "job.yaml"
    wrong.write_text("kind: [Job\n")
    (named,) = [it for it in check(directory) if it.rule == "kubernetes-additions"]
    assert "job.yaml" in named.where
    wrong.write_text("apiVersion: batch/v1\nkind: Job\nmetadata: {name: one}\n")
    assert "kubernetes-additions" not in {it.rule for it in check(directory)}


def test_health_checks_that_kubernetes_does_not_read_are_moved(directory: Path) -> None:
    services = (directory / "invoke.yaml").read_text()
    made_older(directory)
    named = next(it for it in check(directory) if it.rule == "kubernetes-probes")
    assert "services: in invoke.yaml" in named.remedy, named.line()
    (directory / "rancher-compose.yml").unlink()
    (directory / "invoke.yaml").write_text(services)
    assert check(directory) == []
