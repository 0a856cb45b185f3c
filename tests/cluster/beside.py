"""What a stack needs beside a cluster, on this machine: a registry that the node pulls from, a
name for its site, and the settings of a destination there."""

from __future__ import annotations

import fcntl
import os
import shutil
import socket
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import bcrypt

from spin_rehearsal import registry_child

from .cluster import Cluster
from .people import Namespace

# Numbers that no image knows; the account that owns the files.
UID, GID = 41037, 58102
HOSTS = Path("/etc/hosts")


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
def registry(
    root: Path, cluster: Cluster, storage: Path | None = None, login: tuple[str, str] | None = None
) -> Iterator[str]:
    """A registry at a port of this machine's loopback, for the engine, and of the address at which
    the node reaches this machine, under the same name; nobody else reaches it. `storage`: its
    directory, if what it has shall stay; `login`: user and password of the only one it lets in."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        port = found.getsockname()[1]
    name = f"127.0.0.1:{port}"
    users = _users(root, *login) if login else None
    with ExitStack() as parts:
        for host in ("127.0.0.1", cluster.host):
            config = root / f"registry-{host}.yml"
            files = storage or root / "registry"
            config.write_text(registry_child.config(f"{host}:{port}", files, users=users))
            parts.enter_context(_served(config, host, port))
        cluster.allow_http(name, at=f"{cluster.host}:{port}")
        yield name


def _users(root: Path, user: str, password: str) -> Path:
    path = root / "htpasswd"
    hashed = bcrypt.hashpw(password.encode(), bcrypt.gensalt(4)).decode()
    path.write_text(f"{user}:{hashed}\n")
    return path


@contextmanager
def _served(config: Path, host: str, port: int) -> Iterator[None]:
    program = shutil.which("docker-registry") or "/usr/bin/docker-registry"
    with subprocess.Popen([program, "serve", str(config)], stderr=subprocess.DEVNULL) as process:
        try:
            deadline = time.monotonic() + 20
            while time.monotonic() < deadline:
                try:
                    socket.create_connection((host, port), 1).close()
                    break
                except OSError:
                    time.sleep(0.1)
            yield
        finally:
            process.terminate()


@contextmanager
def known_as(host: str, address: str) -> Iterator[None]:
    """A name of this machine's /etc/hosts, for as long as it is needed."""
    line = f"{address} {host} # a test of spinstack, {uuid.uuid4().hex}\n"
    _change_hosts(lambda lines: [*lines, line])
    try:
        yield
    finally:
        _change_hosts(lambda lines: [one for one in lines if one != line])


def _change_hosts(change: Callable[[list[str]], list[str]]) -> None:
    """One at a time; the file is whole at every moment, but where it can't be replaced, as in a
    container whose engine has mounted it."""
    lock = os.open(HOSTS.parent, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        text = HOSTS.read_text(encoding="utf-8")
        lines = text.splitlines(keepends=True)
        if lines and not lines[-1].endswith("\n"):
            lines[-1] += "\n"
        _replace_hosts("".join(change(lines)))
    finally:
        os.close(lock)


def _replace_hosts(text: str) -> None:
    written = HOSTS.with_name(f".{HOSTS.name}.{uuid.uuid4().hex}")
    try:
        written.write_text(text, encoding="utf-8")
        shutil.copymode(HOSTS, written)
        written.replace(HOSTS)
    except OSError:
        written.unlink(missing_ok=True)
        HOSTS.write_text(text, encoding="utf-8")
