"""The process on this machine that holds a node: makes its namespaces, wire and control groups,
waits for its end, and removes what the kernel does not remove by itself.

    python -m tests.cluster.keeper NAME
"""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from types import FrameType

from . import place
from .place import Place

REPOSITORY = Path(__file__).resolve().parents[2]
CGROUPS = Path("/sys/fs/cgroup")
# Seconds until the last process of a node is gone, and between two looks.
GONE_WITHIN = 20.0
LOOK_EVERY = 0.05
USERS_EVERY = 2.0


def start_node(at: Place) -> subprocess.Popen[bytes]:
    """The node in namespaces of its own. Should we die, it dies."""
    words = ["setpriv", "--pdeathsig", "KILL"]
    words += ["unshare", "--net", "--pid", "--mount", "--ipc", "--fork", "--kill-child"]
    words += ["--mount-proc", "--propagation", "slave"]
    words += [sys.executable, "-m", "tests.cluster.node", at.name]
    with (at.logs / "node.log").open("ab") as log:
        return subprocess.Popen(
            words, cwd=REPOSITORY, stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )


def lay_wire(at: Place, node: int) -> None:
    """Between this machine and the network namespace of the process `node`."""
    ours = Path("/proc/self/ns/net").readlink()
    while Path(f"/proc/{node}/ns/net").readlink() == ours:
        time.sleep(0.01)
    ip("link", "add", at.interface, "type", "veth", "peer", "name", "eth0", "netns", str(node))
    ip("address", "add", f"{at.host_address}/30", "dev", at.interface)
    ip("link", "set", at.interface, "up")


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, stdin=subprocess.DEVNULL)


def control_groups(at: Place) -> list[Path]:
    """Those that hold the pods: one in each hierarchy, or the only one of version 2."""
    if (CGROUPS / "cgroup.controllers").exists():
        return [CGROUPS / at.cgroup]
    return [CGROUPS / path.name / at.cgroup for path in sorted(CGROUPS.iterdir()) if path.is_dir()]


def make_control_groups(at: Place) -> None:
    for group in control_groups(at):
        group.mkdir(exist_ok=True)
        for name in ("cpuset.cpus", "cpuset.mems"):  # empty in a new group of version 1
            if (group.parent / name).exists() and not (group / name).read_text().strip():
                (group / name).write_text((group.parent / name).read_text())


def remove_control_groups(at: Place) -> None:
    """Once their processes have ended."""
    deadline = time.monotonic() + GONE_WITHIN
    for group in control_groups(at):
        while group.is_dir() and time.monotonic() < deadline:
            inner = [Path(directory) for directory, _, _ in os.walk(group, topdown=False)]
            try:
                for directory in inner:
                    directory.rmdir()
            except OSError:
                time.sleep(LOOK_EVERY)


def remove(at: Place) -> None:
    """All that is left of a cluster whose processes have ended or are about to."""
    # It goes with the node's namespace, but at a time of the kernel's choice.
    subprocess.run(["ip", "link", "delete", at.interface], capture_output=True)
    remove_control_groups(at)
    with place.numbering():
        deadline = time.monotonic() + GONE_WITHIN
        while at.directory.exists() and time.monotonic() < deadline:
            with suppress(OSError):
                shutil.rmtree(at.directory)
                break
            time.sleep(LOOK_EVERY)


def is_used(at: Place) -> bool:
    """Whether somebody holds the cluster's lock of users, or it is for nobody in particular."""
    if not at.users.exists():
        return True
    with at.users.open("r") as users:
        try:
            fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def keep(at: Place, node: subprocess.Popen[bytes]) -> None:
    """Until the node ends or has no users any more."""
    while node.poll() is None and is_used(at):
        with suppress(subprocess.TimeoutExpired):
            node.wait(USERS_EVERY)


def main(name: str) -> None:
    """Keep the cluster, whose directory has been made, until it is stopped. The lock of its keeper
    is inherited, and free again when we end."""

    def stop(number: int, frame: FrameType | None) -> None:
        sys.exit(0)

    signal.signal(signal.SIGTERM, stop)
    at = place.find(name)
    assert at is not None, name
    make_control_groups(at)
    node = start_node(at)
    at.node_pid.write_text(f"{node.pid}\n")
    try:
        lay_wire(at, node.pid)
        keep(at, node)
    finally:
        node.kill()
        node.wait()
        remove(at)


if __name__ == "__main__":
    main(*sys.argv[1:])
