"""A real OpenSSH server for a test: 127.0.0.1, a free port, a key of its own, no passwords."""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path


@dataclass
class Sshd:
    """A running sshd and what a client needs for it."""

    port: int
    user: str
    identity: Path
    known_hosts: Path
    process: subprocess.Popen[bytes]

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(10)


def start(directory: Path, *, environment: str = "", command: str = "") -> Sshd:
    """Start sshd in the foreground as a child.

    `environment`: a SetEnv line's value. `command`: what runs instead of what is asked for,
    which it finds in SSH_ORIGINAL_COMMAND.
    """
    host_key, identity = _keys(directory, "host_key"), _keys(directory, "identity")
    port = _free_port()
    authorized = directory / "authorized_keys"
    authorized.write_text(identity.with_suffix(".pub").read_text())
    known_hosts = directory / "known_hosts"
    public = " ".join(host_key.with_suffix(".pub").read_text().split()[:2])
    known_hosts.write_text(f"[127.0.0.1]:{port} {public}\n")
    config = directory / "sshd_config"
    config.write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {host_key}\nPidFile none\n"
        f"AuthorizedKeysFile {authorized}\nStrictModes no\nUsePAM no\nPermitRootLogin yes\n"
        "PasswordAuthentication no\nKbdInteractiveAuthentication no\n"
        + (f"SetEnv {environment}\n" if environment else "")
        + (f"ForceCommand {command}\n" if command else "")
    )
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)
    program = shutil.which("sshd", path=os.environ["PATH"] + ":/usr/sbin:/sbin")
    assert program
    log = (directory / "sshd.log").open("wb")
    process = subprocess.Popen([program, "-D", "-e", "-f", str(config)], stderr=log)
    _wait_for(port, process, directory / "sshd.log")
    return Sshd(port, getpass.getuser(), identity, known_hosts, process)


def _keys(directory: Path, name: str) -> Path:
    path = directory / name
    words = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)]
    subprocess.run(words, check=True)
    return path


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(100):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        if process.poll() is not None:
            break
        time.sleep(0.1)
    raise AssertionError(f"sshd did not start: {log.read_text()}")
