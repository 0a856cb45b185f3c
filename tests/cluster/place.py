"""Where a cluster has its files, and which addresses and names are its own."""

from __future__ import annotations

import fcntl
import os
import pwd
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

# On the disk: images are too large for memory. Each cluster is a directory below.
ROOT = Path("/var/tmp/spinstack-clusters")

# The pods' and the services' addresses: those of RKE2, Spin's kind of Kubernetes. They exist
# only in the network namespace of the node, so that clusters may share them.
POD_NETWORK, SERVICE_NETWORK = "10.42.0.0/16", "10.43.0.0/16"
KUBERNETES_SERVICE = "10.43.0.1"

# One of these numbers is a cluster's own, and with it an interface on this machine.
NUMBERS = range(1, 64)


@dataclass(frozen=True)
class Place:
    """The files and addresses of the cluster `name`, which has the number `number`."""

    name: str
    number: int

    @property
    def directory(self) -> Path:
        return ROOT / self.name

    @property
    def interface(self) -> str:
        """This machine's end of the wire to the node."""
        return f"spincluster{self.number}"

    @property
    def host_address(self) -> str:
        """This machine, seen from the node and its pods."""
        return f"10.213.{self.number}.1"

    @property
    def address(self) -> str:
        """The node, seen from this machine: its API server, its ingress."""
        return f"10.213.{self.number}.2"

    @property
    def server(self) -> str:
        return f"https://{self.address}:6443"

    @property
    def cgroup(self) -> str:
        """The name of the control groups that hold all its pods."""
        return f"spinstack-cluster-{self.name}"

    @property
    def certificates(self) -> Path:
        return self.directory / "certificates"

    @property
    def admin_kubeconfig(self) -> Path:
        return self.directory / "admin.kubeconfig"

    @property
    def programs(self) -> Path:
        """A link to the directory with what it was started with, its kubectl among it."""
        return self.directory / "programs"

    @property
    def containerd_socket(self) -> Path:
        return self.directory / "containerd.sock"

    @property
    def logs(self) -> Path:
        """A file for each component."""
        return self.directory / "logs"

    @property
    def down(self) -> Path:
        """The components named here by a file are stopped for as long as it is there."""
        return self.directory / "down"

    @property
    def running(self) -> Path:
        """A file for each component that runs, with its process id on the node."""
        return self.directory / "running"

    @property
    def keeper_pid(self) -> Path:
        return self.directory / "keeper.pid"

    @property
    def keeper_lock(self) -> Path:
        """Held by the keeper for as long as it lives."""
        return self.directory / "keeper.lock"

    @property
    def users(self) -> Path:
        """Where it exists, the cluster ends when nobody has a lock on it any more."""
        return self.directory / "users.lock"

    @property
    def node_pid(self) -> Path:
        """The process id, on this machine, of what holds the node's namespaces."""
        return self.directory / "node.pid"


def new(name: str) -> Place:
    """A directory and a number for a new cluster; to be called with `numbering` held.

    Raises FileExistsError if there is one of that name, OSError if all numbers are taken.
    """
    if not re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?", name):
        raise ValueError(f"not a name for a cluster: {name}")
    taken = {place.number for place in all_places()}
    links = Path("/sys/class/net")
    for number in NUMBERS:
        place = Place(name, number)
        if number not in taken and not (links / place.interface).exists():
            break
    else:
        raise OSError(f"{len(NUMBERS)} clusters are there already, in {ROOT}")
    place.directory.mkdir(mode=0o755)
    (place.directory / "number").write_text(f"{place.number}\n")
    for directory in (place.certificates, place.logs, place.down, place.running):
        directory.mkdir(mode=0o700)
    return place


def all_places() -> list[Place]:
    """Of all clusters that have a directory, those that ended badly too."""
    found = []
    for path in sorted(ROOT.glob("*/number")):
        text = path.read_text().strip()
        if text.isdecimal():
            found.append(Place(path.parent.name, int(text)))
    return found


def find(name: str) -> Place | None:
    return next((place for place in all_places() if place.name == name), None)


def make_root() -> None:
    """Root's programs are started from it: raises PermissionError if anybody else could have put
    them there, as /var/tmp is everybody's."""
    ROOT.mkdir(mode=0o755, exist_ok=True)
    seen = ROOT.lstat()
    ours = stat.S_ISDIR(seen.st_mode) and seen.st_uid == os.getuid()
    if not ours or seen.st_mode & 0o022:
        raise PermissionError(f"{ROOT} must be a directory of yours that nobody else may write to")


@contextmanager
def numbering() -> Iterator[None]:
    """One at a time: whoever makes or removes a cluster's directory."""
    make_root()
    with (ROOT / ".lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def home() -> Path:
    """The person's, even where a test hides it."""
    return Path(pwd.getpwuid(os.getuid()).pw_dir)


def cache() -> Path:
    """Where programs are kept from one session to the next."""
    return home() / ".cache" / "spinstack-cluster"
