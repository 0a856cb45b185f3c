"""A person's machine with a stack of the template and a namespace in a real Kubernetes.

Everything is typed as a person types it. Beside the cluster there are a registry that its node
pulls from, the centre's file system as a directory of this machine, and a line in /etc/hosts for
the site's name.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from spin_rehearsal import base_images
from spinstack import sample
from spinstack.images import engine
from spinstack.transport.runner import LocalRunner
from tests.cluster import beside
from tests.cluster.cluster import Cluster
from tests.cluster.people import Namespace, make_namespace

from .stage import STACK, Stage

TO = ("--to", "kube")


@dataclass(frozen=True)
class KubeStage(Stage):
    """`namespace`: the person's; `files`: the centre's file system; `host`: the site's name;
    `name`: the stack's."""

    cluster: Cluster
    namespace: Namespace
    files: Path
    host: str
    registry: str
    name: str = STACK

    @property
    def stack(self) -> Path:
        return self.work / self.name

    def environment(self, **more: str) -> dict[str, str]:
        """With the cluster's kubectl on the PATH."""
        found = super().environment(**more)
        return {**found, "PATH": f"{found['PATH']}{os.pathsep}{self.cluster.kubectl.parent}"}

    @property
    def site(self) -> str:
        return f"http://{self.host}/"

    @property
    def static(self) -> Path:
        return self.files / "nightwatchtest/output"

    @property
    def kept(self) -> Path:
        """The directory that stacks of the other kinds mount."""
        return self.files / f"{self.name}-files"

    def kubectl(self, *words: str) -> str:
        """As the person."""
        return self.namespace.person.run(*words)

    def set(self, name: str, value: object) -> None:
        """A setting of the destination, in the stack's invoke.yaml."""
        path = self.stack / "invoke.yaml"
        settings = yaml.safe_load(path.read_text())
        settings["spinstack"]["destinations"]["kube"][name] = value
        path.write_text(yaml.safe_dump(settings))

    def write_settings(self, build_args: dict[str, str]) -> None:
        """The destination `kube`, as a person adds it."""
        path = self.stack / "invoke.yaml"
        settings = yaml.safe_load(path.read_text())
        settings["spinstack"]["destinations"]["kube"] = beside.destination(
            self.namespace,
            registry=self.registry,
            files=self.files,
            host=self.host,
            build_args=build_args,
        )
        path.write_text(yaml.safe_dump(settings))


@contextmanager
def kube_person(
    cluster: Cluster, root: Path, name: str = STACK, kind: str = "nightwatch"
) -> Iterator[KubeStage]:
    """A stack of a kind, as cookiecutter made it, with a destination in the cluster."""
    of_its_own = f"{kind}-{uuid.uuid4().hex[:6]}"
    host = f"{name}.{of_its_own}.spinstack.test"
    namespace = make_namespace(cluster, of_its_own, root)
    with (
        tempfile.TemporaryDirectory(dir="/var/tmp", prefix="spinstack-kube-") as storage,
        beside.registry(root, cluster) as registry,
        beside.known_as(host, cluster.ingress),
    ):
        files = Path(storage) / "global"
        Path(storage).chmod(0o755)
        made = KubeStage(
            *(root / "home", Path(storage), root / "work", cluster, namespace, files, host),
            *(registry, name),
        )
        made.home.mkdir()
        made.work.mkdir()
        if kind == "nightwatch":
            sample.lay_out(files, owner=(beside.UID, beside.GID))
        else:
            made.kept.mkdir(parents=True)
            os.chown(made.kept, beside.UID, beside.GID)
        made.bake(name, 60037, kind)
        runner = LocalRunner()
        made.write_settings(base_images.ensure(runner, engine.find(runner).name, print))
        shutil.copytree(made.stack, made.work / "as-made")
        try:
            yield made
        finally:
            namespace.remove()


@pytest.fixture(scope="session")
def kube_stage(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[KubeStage]:
    """The default stack."""
    with kube_person(cluster, tmp_path_factory.mktemp("kube")) as made:
        yield made
