"""A person's own additions, in the stack's directory kubernetes/: what kubectl is given."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from spinstack.errors import SpinstackError
from spinstack.platforms.kubernetes import manifests
from spinstack.platforms.kubernetes.cluster import apply
from spinstack.platforms.kubernetes.platform import Kubernetes
from spinstack.rules.finding import Finding
from tests.unit.kubernetes_fake import CLUSTER
from tests.unit.kubernetes_stack import check, objects, read, settings, small

PATCH = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: app}
spec: {template: {spec: {nodeSelector: {disk: fast}}}}
"""
JOB = "apiVersion: batch/v1\nkind: CronJob\nmetadata: {name: nightly}\n"


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "kubernetes").mkdir()
    return small(tmp_path, "cap_drop: [ALL]\nexpose: ['5000']")


def released(directory: Path, *others: str) -> dict[str, bytes]:
    loaded = settings(directory)
    stack = replace(read(loaded), destinations=("spin", *others))
    return manifests.release_files(stack, loaded.destination())


def overall(files: dict[str, bytes]) -> dict[str, Any]:
    found = yaml.safe_load(files["kustomization.yaml"])
    assert isinstance(found, dict)
    return found


def additions(directory: Path, *others: str) -> list[Finding]:
    loaded = settings(directory)
    destination = loaded.destination()
    stack = replace(read(loaded), destinations=("spin", *others))
    found = Kubernetes(destination.cluster).check(stack, destination)
    return [it for it in found if it.rule == "kubernetes-additions"]


def test_without_additions_it_is_what_is_generated(directory: Path) -> None:
    files = released(directory)
    assert set(files) == {"kustomization.yaml", "manifests.yaml"}
    plain = objects(directory)
    for it in plain:
        # A patch without a namespace finds only objects without one.
        assert it["metadata"].pop("namespace") == "nw"
    assert list(yaml.safe_load_all(files["manifests.yaml"])) == plain
    assert overall(files) == {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "namespace": "nw",
        "resources": ["manifests.yaml"],
    }


def test_what_names_a_generated_object_is_a_patch_and_the_rest_is_added(directory: Path) -> None:
    (directory / "kubernetes/fast.yaml").write_text(PATCH)
    (directory / "kubernetes/nightly.yml").write_text(JOB)
    (directory / "kubernetes/README.md").write_text("Why.\n")
    files = released(directory)
    assert overall(files)["resources"] == ["manifests.yaml", "kubernetes/nightly.yml"]
    assert overall(files)["patches"] == [{"path": "kubernetes/fast.yaml"}]
    assert files["kubernetes/fast.yaml"] == PATCH.encode()
    assert additions(directory) == []


def test_a_kustomization_of_ones_own_says_what_is_done(directory: Path) -> None:
    own = "patches: [{path: fast.yaml}]\nresources: [nightly.yml]\n"
    (directory / "kubernetes/kustomization.yaml").write_text(own)
    (directory / "kubernetes/fast.yaml").write_text(PATCH)
    files = released(directory)
    assert overall(files)["components"] == ["kubernetes"]
    assert "patches" not in overall(files)
    told = yaml.safe_load(files["kubernetes/kustomization.yaml"])
    assert told == {**yaml.safe_load(own), "kind": "Component", "apiVersion": told["apiVersion"]}
    assert additions(directory) == []


def test_what_is_in_a_directory_of_a_destination_goes_to_that_one_alone(directory: Path) -> None:
    here, there = directory / "kubernetes" / "spin", directory / "kubernetes" / "rehearsal"
    (directory / "kubernetes/nightly.yaml").write_text(JOB)
    for place in (here, there):
        place.mkdir()
        (place / "fast.yaml").write_text(PATCH)
    # Of what all destinations have got, too.
    (here / "often.yaml").write_text(f"{JOB}spec: {{schedule: '* * * * *'}}\n")
    files = released(directory, "rehearsal")
    assert overall(files)["resources"] == ["manifests.yaml", "kubernetes/nightly.yaml"]
    names = ["kubernetes/spin/fast.yaml", "kubernetes/spin/often.yaml"]
    assert overall(files)["patches"] == [{"path": name} for name in names]
    assert not [name for name in files if "rehearsal" in name]
    assert additions(directory, "rehearsal") == []
    (here / "kustomization.yaml").write_text("patches: [{path: fast.yaml}]\n")
    files = released(directory, "rehearsal")
    assert overall(files)["components"] == ["kubernetes/spin"]
    assert "patches" not in overall(files)


def test_a_directory_of_no_destination_is_a_finding(directory: Path) -> None:
    (directory / "kubernetes/spni").mkdir()
    (directory / "kubernetes/spni/fast.yaml").write_text(PATCH)
    (found,) = additions(directory)
    assert found.line().startswith("kubernetes/spni/fast.yaml: kubernetes/spni is called as no")
    with pytest.raises(SpinstackError):
        released(directory)


SECRET = "apiVersion: v1\nkind: Secret\nmetadata: {name: key}\n"


def test_no_value_of_a_secret_is_written_anywhere(directory: Path) -> None:
    path = directory / "kubernetes/key.yaml"
    path.write_text(f"{SECRET}type: kubernetes.io/service-account-token\n")
    assert "kubernetes/key.yaml" in released(directory)
    for text in (
        f"{SECRET}stringData: {{a: hush}}\n",
        "kind: List\nmetadata: {name: all}\nitems: [{kind: Secret, data: {a: aHVzaA==}}]\n",
        "secretGenerator: [{name: key}]\n",
    ):
        path.unlink(missing_ok=True)
        path = path.with_name("key.yaml" if "kind" in text else "kustomization.yaml")
        path.write_text(text)
        (found,) = additions(directory)
        assert "`invoke secret.create night.FILE`" in found.remedy
        with pytest.raises(SpinstackError, match="a secret's values would be in every release"):
            released(directory)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("kind: [", "kubernetes/x.yaml:2: not valid YAML"),
        ("- a\n", "is no object of Kubernetes"),
        ("kind: Deployment\n", "lacks its kind or its name"),
    ],
)
def test_what_kubectl_could_not_read_is_a_finding(directory: Path, text: str, said: str) -> None:
    (directory / "kubernetes/x.yaml").write_text(text + "\n")
    (found,) = additions(directory)
    assert said in found.line()


def test_a_file_is_one_or_the_other(directory: Path) -> None:
    (directory / "kubernetes/both.yaml").write_text(f"{PATCH}---\n{JOB}")
    with pytest.raises(SpinstackError, match="changes objects of the stack and adds others"):
        released(directory)
    assert additions(directory)


def test_a_patch_that_the_centre_would_refuse_is_found_before(directory: Path) -> None:
    patch = PATCH.replace("nodeSelector: {disk: fast}", "hostNetwork: true")
    (directory / "kubernetes/node.yaml").write_text(patch)
    found = [it for it in check(directory) if it.rule == "kubernetes-isolation"]
    assert [it.where for it in found] == ["kubernetes/node.yaml"]
    assert found[0].remedy == "write hostNetwork: false"
    (directory / "kubernetes/node.yaml").write_text(patch.replace("true", "false"))
    assert {it.rule for it in check(directory)} == {"health-check"}


def test_a_file_that_is_no_text_reaches_kubectl_as_it_is() -> None:
    data = bytes(range(256))
    (command,) = apply.kustomize_step(CLUSTER, {"kubernetes/logo.png": data}).commands
    program = 'kubectl() { cat "${@: -1}/kubernetes/logo.png"; }'
    said = subprocess.run(
        ["bash", "-c", f"{program}\n{command.script()}"], capture_output=True, check=True
    )
    assert said.stdout == data


def test_what_would_take_more_with_it_is_never_removed() -> None:
    """Somebody has taken a file with such an object out of kubernetes/."""
    namespace = apply.Named("", "Namespace", "attic")
    job = apply.Named("batch", "CronJob", "nightly")
    assert apply.superfluous([namespace, job], []) == [job]
