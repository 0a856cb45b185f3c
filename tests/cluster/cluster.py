"""A running cluster, as the tests use it."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .place import Place

# Seconds for one call of kubectl, and until a component that was started again serves.
CALL_WITHIN = 120.0
BACK_WITHIN = 120.0
LOOK_EVERY = 0.1


class ClusterError(Exception):
    """Something of the cluster did not do what it should; the text is what it said."""


@dataclass(frozen=True)
class Kubectl:
    """kubectl as the person whose kubeconfig it is."""

    program: Path
    kubeconfig: Path
    context: str = ""

    def run(self, *words: str, stdin: str = "", within: float = CALL_WITHIN) -> str:
        """Its standard output. Raises ClusterError with its errors if it fails."""
        done = self.try_(*words, stdin=stdin, within=within)
        if done.returncode:
            raise ClusterError(f"kubectl {' '.join(words)}: {done.stderr.strip()}")
        return done.stdout

    def try_(
        self, *words: str, stdin: str = "", within: float = CALL_WITHIN
    ) -> subprocess.CompletedProcess[str]:
        """The same, for those who expect a failure."""
        chosen = ("--context", self.context) if self.context else ()
        return subprocess.run(
            [str(self.program), "--kubeconfig", str(self.kubeconfig), *chosen, *words],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=within,
        )

    def apply(self, *objects: Mapping[str, Any]) -> str:
        """Have these objects, as kubectl's `apply` does it."""
        return self.run("apply", "--filename", "-", stdin=listed(*objects))

    def get(self, *words: str) -> Any:
        """An object, or the list of objects that the words ask for."""
        return json.loads(self.run("get", *words, "--output", "json"))


def listed(*objects: Mapping[str, Any]) -> str:
    """The objects as kubectl reads them from its standard input."""
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)})


@dataclass(frozen=True)
class Cluster:
    """`admin`: kubectl of who may do everything. `server`, `authority`: where the API server is,
    and who signed its certificate. `ingress`: the address at which the ingress listens, on the
    ports 80 and 443. `own`: ours to restart and to load images into, unless it is None."""

    admin: Kubectl
    server: str
    authority: bytes
    ingress: str
    own: Place | None

    @property
    def kubectl(self) -> Path:
        return self.admin.program

    @property
    def place(self) -> Place:
        """Raises ClusterError for a cluster that is not ours."""
        if self.own is None:
            raise ClusterError("this cluster is not the tests' own")
        return self.own

    @property
    def host(self) -> str:
        """The address of this machine for whoever is in a pod, and for the node's pulls."""
        return self.place.host_address

    def load(self, archive: Path) -> None:
        """Have the images of an archive that `docker save` or `podman save` wrote."""
        words = ("ctr", "--address", str(self.place.containerd_socket), "--namespace", "k8s.io")
        done = subprocess.run(
            [*words, "images", "import", str(archive)],
            capture_output=True,
            text=True,
            timeout=600,
        )
        if done.returncode:
            raise ClusterError(f"ctr images import {archive}: {done.stderr.strip()}")

    def allow_http(self, registry: str, at: str = "") -> None:
        """Let the node pull from a registry without TLS, such as `10.213.1.1:5000`: one that
        listens at `host`, since the node does not reach this machine's loopback. `at`: where the
        node finds it, if images name it otherwise."""
        place = self.place.directory / "registries" / registry
        place.mkdir(parents=True, exist_ok=True)
        where = f"http://{at or registry}"
        # As the server, too: what a host does not have is asked of that.
        told = f'server = "{where}"\n[host."{where}"]\n  capabilities = ["pull", "resolve"]\n'
        (place / "hosts.toml").write_text(told)

    def take_down(self, component: str) -> None:
        """Stop a component, such as `apiserver`; it stays away until `bring_up`."""
        (self.place.down / component).touch()
        running = self.place.running / component
        self.wait_for(lambda: not running.exists(), f"{component} has ended")

    def bring_up(self, component: str) -> None:
        """Start a component again; returns when it serves."""
        (self.place.down / component).unlink(missing_ok=True)
        running = self.place.running / component
        self.wait_for(running.exists, f"{component} runs")
        if component == "apiserver":
            self.wait_for(self.answers, "the API server is ready")
        if component == "kubelet":
            self.wait_for(self._kubelet_answers, "the kubelet is ready")

    def restart(self, component: str) -> None:
        self.take_down(component)
        self.bring_up(component)

    def answers(self) -> bool:
        return self.admin.try_("get", "--raw", "/readyz").returncode == 0

    def _kubelet_answers(self) -> bool:
        path = "/api/v1/nodes/node/proxy/healthz"
        return self.admin.try_("get", "--raw", path).returncode == 0

    def mount(self, source: Path, target: Path) -> None:
        """Show the directory `source` at `target` on the node alone, for pods' hostPath. Both
        exist on this machine."""
        node = self.place.node_pid.read_text().strip()
        child = Path(f"/proc/{node}/task/{node}/children").read_text().split()[0]
        words = ("nsenter", "--target", child, "--mount", "mount", "--bind")
        subprocess.run([*words, str(source), str(target)], check=True)

    def wait_for(self, done: Callable[[], bool], what: str, within: float = BACK_WITHIN) -> None:
        """Raises ClusterError, with the ends of the logs, if it does not come true."""
        deadline = time.monotonic() + within
        while not done():
            if time.monotonic() > deadline:
                raise ClusterError(f"not within {within:.0f} s: {what}\n{self.last_words()}")
            time.sleep(LOOK_EVERY)

    def last_words(self, lines: int = 5) -> str:
        """The ends of all components' logs."""
        told = []
        for path in sorted(self.place.logs.glob("*.log")):
            end = path.read_text(errors="replace").splitlines()[-lines:]
            told += [f"--- {path.name}", *(line[:300] for line in end)]
        return "\n".join(told)


def running(at: Place) -> Cluster:
    """A cluster of our own."""
    return Cluster(
        Kubectl(at.programs / "kubectl", at.admin_kubeconfig),
        at.server,
        (at.certificates / "ca.crt").read_bytes(),
        at.address,
        at,
    )
