"""Two network namespaces: this process's own, and one that is far away with an sshd in it.

Nothing of it has a name outside: when the processes end, however they end, both namespaces
and all in them are gone.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from spinstack.errors import SpinstackError

NEAR, FAR = "10.77.0.1", "10.77.0.2"
SSH_PORT = 2222
_CLONE_NEWNET = 0x40000000
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
REPOSITORY = Path(__file__).resolve().parents[2]


def enter_new() -> None:
    """Put this thread, and the processes that it starts, into a new network namespace.

    Raises SpinstackError where that is not allowed.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_CLONE_NEWNET):
        raise SpinstackError(
            f"no network namespace can be made: {os.strerror(ctypes.get_errno())}",
            where="unshare(CLONE_NEWNET)",
            remedy="run it as root, outside of containers without CAP_SYS_ADMIN",
        )


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def adopt_orphans() -> None:
    """Make this process the parent of what its children leave running."""
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1)


def end_children() -> None:
    """Kill every child, also those that were adopted, until there is none."""
    deadline = time.monotonic() + 10
    while (children := _children()) and time.monotonic() < deadline:
        for child in children:
            with contextlib.suppress(OSError):
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)


def _children() -> list[int]:
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            # After the name of the program, which may have anything in it.
            parent = (entry / "stat").read_text().rpartition(")")[2].split()[1]
            if int(parent) == os.getpid():
                found.append(int(entry.name))
    return found


class Link:
    """The two namespaces, joined; `hold`: seconds that a packet needs for one way."""

    def __init__(self, hold: float) -> None:
        """This process is in the near namespace from now on."""
        if not Path("/dev/net/tun").exists():
            raise SpinstackError("this kernel has no tun devices", remedy="modprobe tun")
        self.hold = hold
        enter_new()
        words = [sys.executable, "-m", "benchmarks.far.link", str(hold * 1000)]
        self._process = subprocess.Popen(
            words,
            cwd=REPOSITORY,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            preexec_fn=_die_with_parent,
            start_new_session=True,
        )
        if self._line() != "ready":
            raise SpinstackError("the two network namespaces could not be joined")

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def turns(self) -> int:
        """Round trips since it was last asked."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return int(self._line())

    def serve(self, host: str, port: int, *, far: bool) -> None:
        """Run `answers.py` on one of the sides, until this process ends."""
        words = [sys.executable, "-m", "benchmarks.far.answers", host, str(port)]
        subprocess.Popen(
            self.in_far(*words) if far else words,
            cwd=REPOSITORY,
            preexec_fn=_die_with_parent,
            start_new_session=True,
        )

    def in_far(self, *words: str) -> list[str]:
        """The words of a command, to be run in the far namespace."""
        return ["nsenter", f"--net=/proc/{self._process.pid}/ns/net", *words]


@dataclass(frozen=True)
class Server:
    """The sshd in the far namespace, and the account that it lets in by key."""

    port: int
    user: str
    identity: Path
    known_hosts: Path
    log: Path

    def counted(self, since: int) -> tuple[int, int, int]:
        """Logins and sessions since a place in its log, and the place where that ends."""
        text = self.log.read_bytes()[since:]
        marks = (b"Accepted publickey for ", b"Starting session: ")
        logins, sessions = (text.count(mark) for mark in marks)
        return logins, sessions, since + len(text)


@contextmanager
def sshd(link: Link, directory: Path, environment: str) -> Iterator[Server]:
    """Run an sshd: key authentication, ed25519, no PAM. `environment`: its SetEnv line.

    It is the first process of a process namespace, so that whatever was left running there
    ends with it.
    """
    host_key, identity = _key(directory / "host_key"), _key(directory / "identity")
    server = Server(SSH_PORT, "root", identity, directory / "known_hosts", directory / "sshd.log")
    public = " ".join(host_key.with_suffix(".pub").read_text().split()[:2])
    server.known_hosts.write_text(f"[{FAR}]:{server.port} {public}\n")
    config = directory / "sshd_config"
    config.write_text(
        f"Port {server.port}\nListenAddress {FAR}\nHostKey {host_key}\nPidFile none\n"
        f"AuthorizedKeysFile {identity}.pub\nStrictModes no\nUsePAM no\nPermitRootLogin yes\n"
        "PasswordAuthentication no\nKbdInteractiveAuthentication no\nLogLevel VERBOSE\n"
        f"Subsystem sftp internal-sftp\nSetEnv {environment}\n"
    )
    # Where sshd drops its privileges to; missing if it never ran as a service.
    Path("/run/sshd").mkdir(exist_ok=True)
    alone = ("unshare", "--pid", "--fork", "--kill-child", "--mount-proc")
    words = link.in_far(*alone, _program(), "-D", "-e", "-f", str(config))
    with server.log.open("wb") as log:
        process = subprocess.Popen(
            words, stderr=log, preexec_fn=_die_with_parent, start_new_session=True
        )
    try:
        _wait_for(server, process)
        yield server
    finally:
        process.kill()
        process.wait(10)


def _program() -> str:
    """sshd insists on its full path."""
    from spin_rehearsal.packages import find_program

    return find_program("sshd") or "/usr/sbin/sshd"


def _key(path: Path) -> Path:
    words = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)]
    subprocess.run(words, check=True)
    return path


def connect_seconds(server: Server) -> float:
    """How long a TCP connection takes: one round trip."""
    begin = time.perf_counter()
    with socket.create_connection((FAR, server.port), timeout=5):
        return time.perf_counter() - begin


def _wait_for(server: Server, process: subprocess.Popen[bytes]) -> None:
    for _ in range(100):
        try:
            connect_seconds(server)
        except OSError:
            if process.poll() is not None:
                break
            time.sleep(0.1)
        else:
            return
    raise SpinstackError("sshd did not start", details=server.log.read_text(), where=str(server))
