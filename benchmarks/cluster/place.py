"""What is measured with: a cluster, and the template's stack in three namespaces of it, one for
each way to bring it there."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml

from benchmarks.cluster.helm import Programs
from benchmarks.far.place import STACK, bake
from benchmarks.typed.ways import BIN, TRIVIAL
from spin_rehearsal import base_images
from spinstack import sample
from spinstack.images import engine
from spinstack.transport.runner import LocalRunner
from tests.cluster import beside
from tests.cluster.cluster import Cluster
from tests.cluster.people import Namespace, make_namespace

OURS, KUBECTL, HELM = "spinstack", "kubectl", "helm"
# A page that the change of a file makes, and where in the file it is put.
PAGE = "/bench.txt"
_BEFORE = "    location = / {"
WITHIN = 300


@dataclass(frozen=True)
class Site:
    """The stack in a namespace of its own, as one way brings it there. `stack`: its directory;
    `rendered`: its manifests, a directory."""

    namespace: Namespace
    host: str
    stack: Path
    rendered: Path

    def change(self, number: int) -> None:
        """Have the web server answer with the number, unlike before: a line of one file."""
        conf = self.stack / "web" / "site.conf"
        # Beside the stack: a file in it would be part of its image.
        as_made = self.stack.with_name("site.conf.as-made")
        if not as_made.exists():
            shutil.copyfile(conf, as_made)
        line = f'    location = {PAGE} {{ return 200 "{number}"; }}\n\n'
        text = as_made.read_text()
        assert _BEFORE in text
        conf.write_text(text.replace(_BEFORE, line + _BEFORE, 1))

    @property
    def kubectl(self) -> tuple[str, ...]:
        """kubectl as a person calls it who says where, as the product does."""
        words = ("--kubeconfig", str(self.namespace.kubeconfig), "--context", "development")
        return ("kubectl", *words, "--namespace", self.namespace.name)


@dataclass(frozen=True)
class Place:
    """`trivial`: a copy of the stack's directory with tasks that do nothing; `home`: of whoever
    types; `calls`: a file with a line for each call of kubectl, where those are counted."""

    cluster: Cluster
    sites: dict[str, Site]
    trivial: Path
    home: Path
    calls: Path

    def environment(self, *, counted: bool = False) -> dict[str, str]:
        """Without the settings of whoever runs this."""
        mine = ("INVOKE_", "SPINSTACK_", "PYTHON", "XDG_", "KUBE", "HELM_")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(mine)}
        programs = self.home / ("counted" if counted else "bin")
        path = os.pathsep.join((str(programs), str(BIN), os.environ["PATH"]))
        return {**kept, "HOME": str(self.home), "PATH": path, "TERM": "dumb", "LC_ALL": "C.UTF-8"}

    def run(self, words: tuple[str, ...], at: Path) -> subprocess.CompletedProcess[str]:
        """A command of the person."""
        return subprocess.run(
            words,
            cwd=at,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=WITHIN,
        )


@contextmanager
def made(
    cluster: Cluster, programs: Programs | None, cache: Path, say: Callable[[str], None]
) -> Iterator[Place]:
    """Everything but the first deploys; all of it goes at the end, but for the images in the
    registry and in the engine. Without `programs` there is no site of Helm's."""
    with ExitStack() as stack:
        work = Path(
            stack.enter_context(
                tempfile.TemporaryDirectory(dir="/var/tmp", prefix="spinstack-bench-")
            )
        )
        # Containers are other users, who must be able to pass.
        work.chmod(0o755)
        files = work / "global"
        sample.lay_out(files, owner=(beside.UID, beside.GID))
        storage = cache / "registry"
        registry = stack.enter_context(beside.registry(work, cluster, storage))
        stack.callback(_put_images_away, registry)
        runner = LocalRunner()
        arguments = base_images.ensure(runner, engine.find(runner).name, say)
        baked = bake(work / "baked")
        sites = {}
        for way in (OURS, KUBECTL, *((HELM,) if programs else ())):
            name = f"bench-{way}-{uuid.uuid4().hex[:6]}"
            namespace = make_namespace(cluster, name, work)
            stack.callback(namespace.remove)
            host = f"{STACK}.{name}.spinstack.test"
            settings = beside.destination(
                namespace, registry=registry, files=files, host=host, build_args=arguments
            )
            sites[way] = _site(work / way, baked, namespace, host, settings)
        stack.enter_context(beside.known_as(sites[OURS].host, cluster.ingress))
        trivial = shutil.copytree(sites[OURS].stack, work / "trivial")
        (trivial / "tasks.py").write_text(TRIVIAL)
        home = work / "home"
        _programs(home, cluster, programs)
        yield Place(cluster, sites, trivial, home, home / "calls")


def _site(
    work: Path, baked: Path, namespace: Namespace, host: str, settings: dict[str, object]
) -> Site:
    stack = shutil.copytree(baked, work / STACK)
    path = stack / "invoke.yaml"
    read = yaml.safe_load(path.read_text(encoding="utf-8"))
    read["spinstack"]["destinations"]["kube"] = settings
    path.write_text(yaml.safe_dump(read, sort_keys=False), encoding="utf-8")
    site = Site(namespace, host, stack, work / "rendered")
    site.change(0)
    return site


def _programs(home: Path, cluster: Cluster, programs: Programs | None) -> None:
    """kubectl and Helm in `bin`; a kubectl in `counted` that writes a line before it runs."""
    (home / "bin").mkdir(parents=True)
    (home / "counted").mkdir()
    kubectl = programs.kubectl if programs else cluster.kubectl
    (home / "bin" / "kubectl").symlink_to(kubectl.resolve())
    if programs:
        (home / "bin" / "helm").symlink_to(programs.helm.resolve())
    counted = home / "counted" / "kubectl"
    counted.write_text(
        "#!/bin/bash\n"
        f"printf '%s\\n' \"${{*//$'\\n'/ }}\" >>'{home}/calls'\n"
        f"exec '{home}/bin/kubectl' \"$@\"\n"
    )
    counted.chmod(0o755)


def _put_images_away(registry: str) -> None:
    """Keep the engine's images under the benchmark's name, so that the next run builds nothing;
    their names at a registry that is gone are of no use."""
    program = engine.find(LocalRunner()).name
    listed = subprocess.run(
        (program, "images", "--format", "{{.Repository}}:{{.Tag}}", f"{registry}/*/*"),
        capture_output=True,
        text=True,
    )
    for name in listed.stdout.split():
        image = name.rpartition("/")[2].partition(":")[0]
        subprocess.run((program, "tag", name, f"spinstack-bench/kubernetes-{image}"), check=False)
        subprocess.run((program, "rmi", name), capture_output=True)
