"""What a stack needs beside a cluster, on this machine: a registry that the node pulls from, a
name for its site, and the settings of a destination there."""

from __future__ import annotations

import fcntl
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from spin_rehearsal import registry_child

from .cluster import Cluster
from .people import Namespace

# Numbers that no image knows; the account that owns the files.
UID, GID = 41037, 58102


def destination(
    namespace: Namespace,
    *,
    registry: str,
    files: Path,
    host: str,
    build_args: Mapping[str, str],
) -> dict[str, object]:
    """The settings that a person writes for it. `files`: the centre's file system."""
    return {
        "platform": "kubernetes",
        "profile": "generic",
        "registry": registry,
        "namespace": "test",
        "project_dir": str(files),
        "user": "alice",
        "build_args": dict(build_args),
        "env": {"GROUP_ID": str(GID)},
        "healthy_within": 120,
        "kubernetes": {
            "kubeconfig": str(namespace.kubeconfig),
            "context": "development",
            "namespace": namespace.name,
            "uid": UID,
            "ingress_class": "nginx",
            "ingress_host": host,
        },
    }


@contextmanager
def registry(root: Path, cluster: Cluster, storage: Path | None = None) -> Iterator[str]:
    """A registry at a port of this machine's loopback, for the engine, and of the address at which
    the node reaches this machine, under the same name. `storage`: its directory, if what it has
    shall stay."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        port = found.getsockname()[1]
    name = f"127.0.0.1:{port}"
    config = root / "registry.yml"
    config.write_text(registry_child.config(f"0.0.0.0:{port}", storage or root / "registry"))
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
def known_as(host: str, address: str) -> Iterator[None]:
    """A name of this machine's /etc/hosts, for as long as it is needed."""
    line = f"{address} {host}\n"
    _change_hosts(lambda text: text + line)
    try:
        yield
    finally:
        _change_hosts(lambda text: text.replace(line, ""))


def _change_hosts(change: Callable[[str], str]) -> None:
    path = Path("/etc/hosts")
    with path.open("r+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        text = change(file.read())
        file.seek(0)
        file.write(text)
        file.truncate()
        os.fsync(file.fileno())
