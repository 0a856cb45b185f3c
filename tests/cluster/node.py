"""Process 1 of the node: lays out its file systems and network, and keeps its components running.

    python -m tests.cluster.node NAME

It is alone in new namespaces for processes, mounts and network. All that the node makes goes
with them, whatever ends this process.
"""

from __future__ import annotations

import os
import signal
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import suppress
from pathlib import Path
from types import FrameType

from . import components, place
from .place import Place

# What serves the others is up first; seconds to wait for it, and between two looks.
FIRST = ("etcd", "apiserver", "containerd")
API_WITHIN = 120.0
LOOK_EVERY = 0.1
# Who does not end when asked to is killed; seconds. Seconds between two starts of one.
END_WITHIN = 5.0
START_EVERY = 1.0

# What the kubelet wants of the whole machine: it sees it, and the machine stays as it is.
KERNEL = {
    "vm/overcommit_memory": "1",
    "vm/panic_on_oom": "0",
    "kernel/panic": "10",
    "kernel/panic_on_oops": "1",
    "kernel/keys/root_maxkeys": "1000000",
    "kernel/keys/root_maxbytes": "25000000",
}


def run(*words: str) -> None:
    """A program that has to succeed."""
    subprocess.run(words, check=True, stdin=subprocess.DEVNULL)


def lay_out_files(at: Place) -> None:
    """What components write at places of their own choice goes into the cluster's directory."""
    # Mounts of a pod may show in others, as `mountPropagation` says; never outside the node.
    run("mount", "--make-rshared", "/")
    run("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", "/run")
    for target in ("/var/lib", "/var/log"):
        layer = at.directory / "layers" / target.replace("/", "-")
        upper, work = layer / "upper", layer / "work"
        upper.mkdir(parents=True)
        work.mkdir()
        options = f"lowerdir={target},upperdir={upper},workdir={work}"
        run("mount", "-t", "overlay", "-o", options, "overlay", target)
    for name, value in KERNEL.items():
        seen = Path("/run/kernel") / name
        seen.parent.mkdir(parents=True, exist_ok=True)
        seen.write_text(f"{value}\n")
        if (setting := Path("/proc/sys") / name).exists():
            run("mount", "--bind", str(seen), str(setting))


def lay_out_network(at: Place) -> None:
    """The keeper gives us `eth0`, the end of a wire to the machine."""
    while not Path(f"/proc/{os.getpid()}/net/dev").read_text().count("eth0:"):
        time.sleep(0.02)
    run("ip", "link", "set", "lo", "up")
    run("ip", "address", "add", f"{at.address}/30", "dev", "eth0")
    run("ip", "link", "set", "eth0", "up")
    run("ip", "route", "add", "default", "via", at.host_address)
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
    # The machine knows the node's address, not those of the pods.
    pods = ("--source", place.POD_NETWORK, "--out-interface", "eth0")
    run("iptables", "-t", "nat", "-A", "POSTROUTING", *pods, "-j", "MASQUERADE")


class Keeping:
    """The components of the node: those that ended are started again, unless they are to be
    down. Who inherits processes, as process 1 does, has to wait for all of them itself."""

    def __init__(self, at: Place, commands: dict[str, tuple[str, ...]]) -> None:
        self.at, self.commands = at, commands
        self.pids: dict[str, int] = {}
        self._started: dict[str, float] = {}
        self._asked: dict[str, float] = {}

    def look(self, names: tuple[str, ...]) -> None:
        """Do what is due for these components."""
        self._bury()
        for name in names:
            if (self.at.down / name).exists():
                self._end(name)
            elif name not in self.pids and self._since(self._started, name) > START_EVERY:
                self._start(name)

    def _start(self, name: str) -> None:
        with (self.at.logs / f"{name}.log").open("ab") as log:
            path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])
            process = subprocess.Popen(
                self.commands[name],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                env={"PATH": path, "HOME": "/root", "LANG": "C.UTF-8"},
                start_new_session=True,
            )
        self.pids[name] = process.pid
        process.returncode = 0  # it is ours to wait for it
        self._started[name] = time.monotonic()
        (self.at.running / name).write_text(f"{process.pid}\n")

    def _end(self, name: str) -> None:
        pid = self.pids.get(name)
        if pid is None:
            return
        asked = name in self._asked
        if not asked:
            self._asked[name] = time.monotonic()
        late = asked and self._since(self._asked, name) > END_WITHIN
        if late or not asked:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL if late else signal.SIGTERM)

    def _bury(self) -> None:
        """Take note of all processes that ended, containers' orphans among them."""
        with suppress(ChildProcessError):
            while (pid := os.waitpid(-1, os.WNOHANG)[0]) != 0:
                for name in [name for name, known in self.pids.items() if known == pid]:
                    del self.pids[name]
                    self._asked.pop(name, None)
                    (self.at.running / name).unlink(missing_ok=True)

    @staticmethod
    def _since(times: dict[str, float], name: str) -> float:
        return time.monotonic() - times.get(name, -1e9)


def api_answers(at: Place) -> bool:
    """Whether the API server says that it is ready."""
    context = ssl.create_default_context(cafile=str(at.certificates / "ca.crt"))
    try:
        with urllib.request.urlopen(f"{at.server}/readyz", timeout=2, context=context) as answer:
            return bool(answer.status == 200)
    except (OSError, urllib.error.URLError):
        return False


def main(name: str) -> None:
    """Be the node until somebody ends it."""

    def stop(number: int, frame: FrameType | None) -> None:
        sys.exit(0)

    signal.signal(signal.SIGTERM, stop)
    at = place.find(name)
    assert at is not None, name
    lay_out_files(at)
    lay_out_network(at)
    commands = dict(components.commands(at))
    keeping = Keeping(at, commands)
    deadline = time.monotonic() + API_WITHIN
    while not api_answers(at) and time.monotonic() < deadline:
        keeping.look(FIRST)
        time.sleep(LOOK_EVERY)
    while True:
        keeping.look(tuple(commands))
        time.sleep(LOOK_EVERY)


if __name__ == "__main__":
    main(*sys.argv[1:])
