"""The program with all components of Kubernetes: built once from modules, then kept.

    python -m tests.cluster.build

The first time takes minutes. What was built is kept by its sources in the person's cache.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from . import place

SOURCES = Path(__file__).resolve().parent / "kube"
# Programs of other sources that were not used for so long are removed; seconds.
KEPT_FOR = 14 * 24 * 3600.0
# Seconds for all modules, some 0.8 GB on the disk.
FETCH_WITHIN = 900.0
# A part of the machine, so that what else it does goes on.
GENTLY = ("nice", "-n", "10")


class CannotFetch(Exception):
    """The modules are not to be had from here; the text says what was tried."""


@cache
def _digest() -> str:
    digest = hashlib.sha256(Path(__file__).read_bytes())
    for path in sorted(SOURCES.rglob("*")):
        if path.is_file():
            digest.update(f"{path.relative_to(SOURCES)}\0".encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def directory() -> Path:
    """Where the programs of these sources are, or will be."""
    return place.cache() / _digest()


def log() -> Path:
    """For who builds where nobody looks on."""
    place.cache().mkdir(parents=True, exist_ok=True)
    return place.cache() / "build.log"


def is_built() -> bool:
    return (directory() / "kube").exists()


def go_version() -> str:
    """The oldest that the modules can be built with, such as 1.26.0."""
    return _in_go_mod(r"^go (\S+)$")


def kubernetes_version() -> str:
    """Of the cluster, such as v1.37.2."""
    return _in_go_mod(r"^\s*(?:require )?k8s\.io/kubernetes (v\S+)$")


def _in_go_mod(pattern: str) -> str:
    found = re.search(pattern, (SOURCES / "go.mod").read_text(), re.MULTILINE)
    assert found, pattern
    return found[1]


def ensure() -> Path:
    """The directory with `kube`, `kubectl` (a link to it) and `pause`, built if need be.

    Who else builds it is waited for. Raises CannotFetch without the modules,
    subprocess.CalledProcessError if they can't be built.
    """
    if not is_built():
        with _one_at_a_time():
            if not is_built():
                _fetch()
                _build()
                _remove_old()
    os.utime(directory())
    return directory()


def _build() -> None:
    target, new = directory(), directory().with_suffix(".new")
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(parents=True)
    major, minor, _ = kubernetes_version().lstrip("v").split(".")
    stamps = {"gitVersion": kubernetes_version(), "gitMajor": major, "gitMinor": minor}
    flags = [f"-X k8s.io/component-base/version.{name}={it}" for name, it in stamps.items()]
    # `pause` first: it takes a second, and shows that Go works at all.
    _go("build", "-trimpath", "-ldflags=-s -w", f"-o={new}/pause", "./pause")
    # Most of the time of a build goes into inlining, of which these packages can do without.
    quickly = "-gcflags=k8s.io/...=-l"
    _go("build", "-trimpath", quickly, f"-ldflags=-s -w {' '.join(flags)}", f"-o={new}/kube", ".")
    (new / "kubectl").symlink_to("kube")
    shutil.rmtree(target, ignore_errors=True)
    new.rename(target)


def _fetch() -> None:
    try:
        done = subprocess.run(
            ["go", "mod", "download"],
            cwd=SOURCES,
            env=_environment(),
            capture_output=True,
            text=True,
            timeout=FETCH_WITHIN,
        )
    except subprocess.TimeoutExpired:
        raise CannotFetch(f"go mod download took longer than {FETCH_WITHIN:.0f} s") from None
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["no reason given"]
        raise CannotFetch(f"go mod download failed: {lines[-1]}")


def _go(*words: str) -> None:
    subprocess.run([*GENTLY, "go", *words], cwd=SOURCES, env=_environment(), check=True)


def _environment() -> dict[str, str]:
    """As a static program, with the Go that is there and its caches in the person's home."""
    home = place.home()
    given = {"CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOWORK": "off", "HOME": str(home)}
    # Compilers that tidy up their memory less often need a quarter less time.
    given["GOGC"] = "400"
    return {**os.environ, **given}


def _remove_old() -> None:
    for path in place.cache().iterdir():
        if path.is_dir() and time.time() - path.stat().st_mtime > KEPT_FOR:
            shutil.rmtree(path, ignore_errors=True)


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    place.cache().mkdir(parents=True, exist_ok=True)
    with (place.cache() / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


if __name__ == "__main__":
    try:
        print(ensure())
    except CannotFetch as error:
        sys.exit(str(error))
