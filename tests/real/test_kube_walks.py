"""README's walks from nothing to a page, on a pretend Spin in a real Kubernetes."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests import pages
from tests.cluster import beside
from tests.cluster.cluster import Cluster

from . import walks
from .stage import Stage

pytestmark = pytest.mark.real("engine", "registry", "root")

LOGIN = ("demo", "not-for-everybody")
# The tests' cluster makes no volumes by itself, as others do.
VOLUME = """\
apiVersion: v1
kind: PersistentVolume
metadata: {name: spinstack-walks}
spec:
  capacity: {storage: 20Gi}
  accessModes: [ReadWriteOnce, ReadWriteMany]
  persistentVolumeReclaimPolicy: Delete
  hostPath: {path: VOLUME, type: DirectoryOrCreate}
"""


@dataclass(frozen=True)
class Walker(Stage):
    """A person with an administrator's kubeconfig of the tests' cluster, which has no registry of
    its own: what they add to the start of the rehearsal."""

    cluster: Cluster
    more: str = ""

    def environment(self, **more: str) -> dict[str, str]:
        found = super().environment(**more)
        return {**found, "PATH": f"{found['PATH']}:{self.cluster.kubectl.parent}"}

    def line(self, line: str) -> str:
        """README's line for Kubernetes."""
        start, deploy = pages.walks().instead.items()
        if line.startswith(start[0]):
            return f"{line.replace(*start)} {self.more}"
        return line.replace(*deploy)


@pytest.fixture(scope="module")
def walker(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Walker]:
    root = tmp_path_factory.mktemp("walks")
    home = root / "home"
    (home / ".kube").mkdir(parents=True)
    shutil.copy(cluster.admin.kubeconfig, home / ".kube" / "config")
    with ExitStack() as parts:
        place = tempfile.TemporaryDirectory(dir="/var/tmp", prefix="spinstack-walks-")
        storage = Path(parts.enter_context(place))
        storage.chmod(0o755)
        registry = parts.enter_context(beside.registry(root, cluster, login=LOGIN))
        context = cluster.admin.context or "development"
        more = f"--context {context} --registry {registry} --yes"
        made = Walker(home, storage, root, cluster, more)
        user, password = LOGIN
        login = ("docker", "login", "--username", user, "--password-stdin", registry)
        subprocess.run(login, input=password, text=True, env=made.environment(), check=True)
        for name in ("hello", "my-pages", "notes"):
            host = f"{name}.spin-rehearsal.localhost"
            parts.enter_context(beside.known_as(host, cluster.ingress))
        volume = root / "volume.yaml"
        volume.write_text(VOLUME.replace("VOLUME", str(storage / "volume")))
        cluster.admin.run("apply", "--filename", str(volume))
        try:
            yield made
        finally:
            cluster.admin.run("delete", "--wait=false", "--filename", str(volume))
            made.invoke("rehearsal.stop", "--platform", "kubernetes", at=root)


@pytest.fixture
def removed(walker: Walker) -> Iterator[Callable[[Path], None]]:
    """Two stacks with a service `web` have no room beside each other in one namespace."""
    stacks: list[Path] = []
    yield stacks.append
    for at in stacks:
        walker.done("rm", "--yes", "--to", "spin-rehearsal", at=at)


@pytest.mark.parametrize("walk", walks.SHOWN)
def test_a_walk_ends_at_its_page(
    walker: Walker, removed: Callable[[Path], None], tmp_path: Path, walk: str
) -> None:
    begun = walks.lay_out(walk, walker.home, tmp_path)
    at, done = walks.typed(walker, walk, begun, walker.line)
    removed(at)
    with urllib.request.urlopen(done.last_line, timeout=20) as answer:
        assert walks.SHOWN[walk] in answer.read().decode()
