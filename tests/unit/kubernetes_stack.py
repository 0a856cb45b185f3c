"""Stacks for a cluster that nobody reaches: what their manifests are made from."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from spinstack.checks import stack as checks_stack
from spinstack.config import settings as config_settings
from spinstack.config import stack as config_stack
from spinstack.config.settings import Settings
from spinstack.config.stack import Stack
from spinstack.platforms.kubernetes import manifests
from spinstack.platforms.kubernetes.platform import Kubernetes
from spinstack.rules.finding import Finding

STACK = "night"
IMAGE = "registry.nersc.gov/alice/app:1.0"
PROJECT = "/global/cfs/cdirs/desi/users/alice"


def settings(directory: Path, cluster: Mapping[str, Any] | None = None, **more: Any) -> Settings:
    """The settings of a stack in this directory. `cluster`: below `kubernetes:`; `more`: other
    settings of its destination."""
    told = {"cluster": "development", "namespace": "nw", "uid": 41037, **(cluster or {})}
    place = {"platform": "kubernetes", "project_dir": PROJECT, "user": "alice", **more}
    name = "spin"
    raw: dict[str, Any] = {"stack": STACK, "destination": name}
    if (directory / "invoke.yaml").exists():
        raw |= yaml.safe_load((directory / "invoke.yaml").read_text())["spinstack"]
        raw["destination"] = name
    raw["destinations"] = {name: {**place, "kubernetes": told}}
    return config_settings.load({"spinstack": raw}, directory)


def read(loaded: Settings) -> Stack:
    """With images as after a build."""
    images = {
        it.variable: f"registry.nersc.gov/alice/{it.name}:1.0-{it.key}" for it in loaded.images
    }
    return config_stack.read(loaded, images, ())


def small(directory: Path, service: str, *, name: str = "app", env: str = "") -> Path:
    """A stack of one service with these lines, one more that runs an image, and a file."""
    (directory / "conf").mkdir(exist_ok=True)
    (directory / "conf" / "a.conf").write_text("a = 1\n")
    lines = "\n".join(f"    {line}" for line in service.splitlines())
    (directory / "docker-compose.yml").write_text(
        f"version: '2'\nservices:\n  {name}:\n    image: {IMAGE}\n{lines}\n"
    )
    (directory / "stack.env").write_text(env)
    return directory


def objects(
    directory: Path, cluster: Mapping[str, Any] | None = None, **more: Any
) -> list[dict[str, Any]]:
    """What the stack in this directory becomes."""
    loaded = settings(directory, cluster, **more)
    return manifests.objects(read(loaded), loaded.destination())


def check(directory: Path, cluster: Mapping[str, Any] | None = None, **more: Any) -> list[Finding]:
    """What `invoke check` finds there."""
    loaded = settings(directory, cluster, **more)
    destination = loaded.destination()
    assert destination.kubernetes
    platform = Kubernetes(destination.kubernetes)
    return checks_stack.check(loaded, destination, read(loaded), platform)


def of(found: list[dict[str, Any]], kind: str, name: str = "") -> dict[str, Any]:
    """The one object of a kind, by its name if there are several."""
    (one,) = (it for it in found if it["kind"] == kind and name in ("", it["metadata"]["name"]))
    return one


def pod(found: list[dict[str, Any]], name: str = "app") -> dict[str, Any]:
    spec: dict[str, Any] = of(found, "Deployment", name)["spec"]["template"]["spec"]
    return spec


def container(found: list[dict[str, Any]], name: str = "app") -> dict[str, Any]:
    (one,) = pod(found, name)["containers"]
    assert isinstance(one, dict)
    return one
