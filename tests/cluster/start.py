"""Starts and stops clusters, and removes what dead ones left."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

from . import build, certificates, components, images, keeper, place
from .cluster import Cluster, ClusterError, running
from .place import Place

START_WITHIN = 180.0
STOP_WITHIN = 60.0
LOOK_EVERY = 0.1

# What every cluster has from the start. The class is the default one, as on Spin.
OBJECTS = [
    {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "IngressClass",
        "metadata": {
            "name": "nginx",
            "annotations": {"ingressclass.kubernetes.io/is-default-class": "true"},
        },
        "spec": {"controller": "spinstack.test/ingress"},
    }
]


def start(name: str) -> Cluster:
    """A new cluster that is ready, its programs built if need be.

    Raises build.CannotFetch, or ClusterError with what the components said.
    """
    programs = build.ensure()
    sweep()
    with place.numbering():
        at = place.new(name)
        # Locked before anybody could take the directory for that of a dead cluster.
        with at.keeper_lock.open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            at.programs.symlink_to(programs)
            _start_keeper(at, lock.fileno())
    cluster = running(at)
    try:
        _get_ready(cluster)
    except BaseException:
        stop(at)
        raise
    return cluster


def _start_keeper(at: Place, lock: int) -> None:
    """It inherits the lock."""
    certificates.make(at)
    components.write_files(at)
    words = [sys.executable, "-m", "tests.cluster.keeper", at.name]
    with (at.logs / "keeper.log").open("ab") as log:
        process = subprocess.Popen(
            words,
            cwd=keeper.REPOSITORY,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=(lock,),
            start_new_session=True,
        )
    at.keeper_pid.write_text(f"{process.pid}\n")


def _get_ready(cluster: Cluster) -> None:
    at = cluster.place

    def wait(done: object, what: str) -> None:
        assert callable(done)
        cluster.wait_for(lambda: _alive(at) and done(), what, START_WITHIN)

    wait(at.containerd_socket.exists, "containerd listens")
    for archive in images.write_own(at.directory, at.programs):
        cluster.load(archive)
        archive.unlink()
    wait(cluster.answers, "the API server is ready")
    cluster.admin.apply(*OBJECTS)
    wait(lambda: _node_is_ready(cluster), "the node is ready")


def _alive(at: Place) -> bool:
    if not is_dead(at):
        return True
    raise ClusterError(f"the cluster ended as it started; see {at.logs}")


def _node_is_ready(cluster: Cluster) -> bool:
    words = ("get", "node", "node", "--output", "jsonpath={.status.conditions[?(@.type=='Ready')]}")
    return '"status":"True"' in cluster.admin.try_(*words).stdout


def is_dead(at: Place) -> bool:
    """Whether nobody keeps it any more."""
    try:
        with at.keeper_lock.open("r") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except FileNotFoundError:
        pass
    return True


def stop(at: Place) -> None:
    """End the cluster and remove all that it made. Quick to do for one that is dead."""
    with suppress(FileNotFoundError, ValueError, ProcessLookupError):
        pid = int(at.keeper_pid.read_text())
        if not is_dead(at):
            os.kill(pid, signal.SIGTERM)
            deadline = time.monotonic() + STOP_WITHIN
            while runs(pid) and time.monotonic() < deadline:
                time.sleep(LOOK_EVERY)
    if at.directory.exists():
        _clear(at)


def runs(pid: int) -> bool:
    """Whether it still does; one that only waits for its parent's notice has no words left."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes() != b""
    except (FileNotFoundError, ProcessLookupError):
        return False


def _clear(at: Place) -> None:
    """After a keeper that could not do it any more: its node died with it."""
    with suppress(FileNotFoundError, ValueError):
        pid = int(at.node_pid.read_text())
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        if b"tests.cluster.node" in words and at.name.encode() in words:
            os.kill(pid, signal.SIGKILL)
    keeper.remove(at)


def sweep() -> None:
    """Remove what is left of dead clusters."""
    with place.numbering():  # else one that is being made might seem dead
        dead = [at for at in place.all_places() if is_dead(at)]
    for at in dead:
        stop(at)
