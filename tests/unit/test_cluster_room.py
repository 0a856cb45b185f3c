"""What a change applies: manifests with other numbers of containers, and with exact images."""

from __future__ import annotations

import yaml

from spinstack.remote.cluster import room

DIGEST = f"sha256:{'0' * 64}"
FILE = "image: registry.org/web:1\n"


def manifests() -> str:
    pod = {
        "initContainers": [{"name": "first", "image": "copy.registry.org/web:1"}],
        "containers": [{"name": "web", "image": "registry.org/web:1"}],
    }
    objects = [
        {"kind": "ConfigMap", "metadata": {"name": "demo-web-1"}, "data": {"compose": FILE}},
        {"kind": "Deployment", "metadata": {"name": "web"}, "spec": {"template": {"spec": pod}}},
    ]
    return yaml.safe_dump_all(objects)


def test_an_image_gets_its_digest_and_nothing_else_that_looks_like_it() -> None:
    made = room.pinned(manifests(), [f"registry.org/web:1@{DIGEST}", "registry.org/app:1"])
    config, deployment = yaml.safe_load_all(made)
    pod = deployment["spec"]["template"]["spec"]
    assert pod["containers"][0]["image"] == f"registry.org/web:1@{DIGEST}"
    assert pod["initContainers"][0]["image"] == "copy.registry.org/web:1"
    assert config["data"]["compose"] == FILE, "the name of the ConfigMap says what is in it"
    assert room.pinned(manifests(), ["registry.org/web:1"]) == manifests()


def test_changed_manifests_begin_as_yaml() -> None:
    """kubectl 1.32.4 of a stream that begins with JSON: `invalid character '-' in numeric
    literal`."""
    made = room.scaled(manifests(), {"web": 2})
    assert made.startswith("---\n")
    config, deployment = yaml.safe_load_all(made)
    assert (config["kind"], deployment["spec"]["replicas"]) == ("ConfigMap", 2)
