"""A person's machine with a stack of the template and a namespace in a real Kubernetes.

Everything is typed as a person types it. Beside the cluster there are a registry that its node
pulls from, the centre's file system as a directory of this machine, and a line in /etc/hosts for
the site's name.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from spin_rehearsal import base_images, registry_child
from spinstack import sample
from spinstack.images import engine
from spinstack.transport.runner import LocalRunner
from tests.cluster.cluster import Cluster
from tests.cluster.people import Namespace, make_namespace

from .stage import STACK, Stage

# Numbers that no image knows; the account that owns the files.
UID, GID = 41037, 58102
TO = ("--to", "kube")


@dataclass(frozen=True)
class KubeStage(Stage):
    """`namespace`: the person's; `files`: the centre's file system; `host`: the site's name."""

    cluster: Cluster
    namespace: Namespace
    files: Path
    host: str
    registry: str

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
        settings["spinstack"]["destinations"]["kube"] = {
            "platform": "kubernetes",
            "profile": "generic",
            "registry": self.registry,
            "namespace": "test",
            "project_dir": str(self.files),
            "user": "alice",
            "build_args": build_args,
            "env": {"GROUP_ID": str(GID)},
            "healthy_within": 120,
            "kubernetes": {
                "kubeconfig": str(self.namespace.kubeconfig),
                "context": "development",
                "namespace": self.namespace.name,
                "uid": UID,
                "ingress_class": "nginx",
                "ingress_host": self.host,
            },
        }
        path.write_text(yaml.safe_dump(settings))


@pytest.fixture(scope="session")
def kube_stage(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[KubeStage]:
    """The stack as cookiecutter made it, with a destination in the cluster."""
    root = tmp_path_factory.mktemp("kube")
    name = f"nightwatch-{uuid.uuid4().hex[:6]}"
    host = f"{STACK}.{name}.spinstack.test"
    namespace = make_namespace(cluster, name, root)
    with (
        tempfile.TemporaryDirectory(dir="/var/tmp", prefix="spinstack-kube-") as storage,
        _registry(root, cluster) as registry,
        _known_as(host, cluster.ingress),
    ):
        files = Path(storage) / "global"
        Path(storage).chmod(0o755)
        sample.lay_out(files, owner=(UID, GID))
        made = KubeStage(
            root / "home", Path(storage), root / "work", cluster, namespace, files, host, registry
        )
        made.home.mkdir()
        made.work.mkdir()
        made.bake(STACK, 60037)
        runner = LocalRunner()
        made.write_settings(base_images.ensure(runner, engine.find(runner).name, print))
        shutil.copytree(made.stack, made.work / "as-made")
        try:
            yield made
        finally:
            namespace.remove()


@contextmanager
def _registry(root: Path, cluster: Cluster) -> Iterator[str]:
    """A registry at a port of this machine's loopback, for the engine, and of the address at which
    the node reaches this machine, under the same name."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        port = found.getsockname()[1]
    name = f"127.0.0.1:{port}"
    config = root / "registry.yml"
    config.write_text(registry_child.config(f"0.0.0.0:{port}", root / "registry"))
    program = shutil.which("docker-registry") or "/usr/bin/docker-registry"
    with subprocess.Popen([program, "serve", str(config)], stderr=subprocess.DEVNULL) as process:
        try:
            deadline = time.monotonic() + 20
            while time.monotonic() < deadline:
                try:
                    socket.create_connection(("127.0.0.1", port), 1).close()
                    break
                except OSError:
                    time.sleep(0.1)
            cluster.allow_http(name, at=f"{cluster.host}:{port}")
            yield name
        finally:
            process.terminate()


@contextmanager
def _known_as(host: str, address: str) -> Iterator[None]:
    """A name of this machine's /etc/hosts, for as long as it is needed."""
    line = f"{address} {host}\n"
    _change_hosts(lambda text: text + line)
    try:
        yield
    finally:
        _change_hosts(lambda text: text.replace(line, ""))


def _change_hosts(change: object) -> None:
    path = Path("/etc/hosts")
    with path.open("r+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        text = change(file.read())  # type: ignore[operator]
        file.seek(0)
        file.write(text)
        file.truncate()
        os.fsync(file.fileno())
