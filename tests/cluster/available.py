"""Whether a cluster can be had on this machine, and what it needs."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
from pathlib import Path

from . import build, components

# What the node runs, and the Debian packages that bring it.
PROGRAMS = {
    "containerd": "containerd",
    "ctr": "containerd",
    "runc": "runc",
    "iptables": "iptables",
    "conntrack": "conntrack",
    "ip": "iproute2",
    "mount": "mount",
    "nsenter": "util-linux",
    "setpriv": "util-linux",
    "unshare": "util-linux",
    "/bin/busybox": "busybox-static",
    f"{components.PLUGINS}/ptp": "containernetworking-plugins",
}


def reason() -> str:
    """Why no cluster can be had here; nothing if one can, so far as a glance tells."""
    if platform.system() != "Linux" or os.geteuid() != 0:
        return "a cluster needs root on Linux"
    missing = sorted({package for item, package in PROGRAMS.items() if not _is_there(item)})
    if missing:
        return f"a cluster needs {', '.join(missing)}"
    # A container on an ordinary machine forbids all of these.
    if not _does("unshare", "--net", "--pid", "--mount", "--fork", "--mount-proc", "true"):
        return "a cluster needs namespaces, which are forbidden here"
    if not os.access("/sys/fs/cgroup", os.W_OK) or not _can_make_groups():
        return "a cluster needs control groups, which are read-only here"
    return "" if build.is_built() else _reason_not_to_build()


def _reason_not_to_build() -> str:
    """Go has to be there; whether its modules can be fetched only the fetching tells."""
    wanted = build.go_version()
    if shutil.which("go") is None:
        return f"a cluster is built with Go {wanted} or newer, which is not installed"
    told = subprocess.run(["go", "env", "GOVERSION"], capture_output=True, text=True).stdout
    found = re.match(r"go(\d+)\.(\d+)", told)
    numbers = tuple(int(number) for number in found.groups()) if found else (0, 0)
    if numbers < tuple(int(number) for number in wanted.split(".")[:2]):
        return f"a cluster is built with Go {wanted} or newer, here is {told.strip()}"
    return ""


def _is_there(item: str) -> bool:
    if item.startswith("/"):
        return Path(item).exists()
    path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])
    return shutil.which(item, path=path) is not None


def _does(*words: str) -> bool:
    return subprocess.run(words, capture_output=True).returncode == 0


def _can_make_groups() -> bool:
    hierarchies = [Path("/sys/fs/cgroup"), Path("/sys/fs/cgroup/memory")]
    trial = next(at for at in reversed(hierarchies) if at.is_dir()) / f"trial-{os.getpid()}"
    try:
        trial.mkdir()
        trial.rmdir()
    except OSError:
        return False
    return True
