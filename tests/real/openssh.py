"""A real OpenSSH server for a test: 127.0.0.1, a free port, a key of its own, no passwords."""

from __future__ import annotations

import getpass
import os
import re
import shlex
import shutil
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from spinstack.config.settings import Destination, load
from spinstack.sample.owner import GID, UID


@dataclass
class Sshd:
    """A running sshd and what a client needs for it."""

    port: int
    user: str
    identity: Path
    known_hosts: Path
    process: subprocess.Popen[bytes]

    def stop(self) -> None:
        """Connections end too, and with them whatever keeps one open."""
        subprocess.run(["pkill", "-KILL", "-P", str(self.process.pid)], check=False)
        self.process.terminate()
        self.process.wait(10)


def sshd_program() -> Path:
    """Where sshd is."""
    found = shutil.which("sshd", path=os.environ["PATH"] + ":/usr/sbin:/sbin")
    assert found
    return Path(found)


def destination(sshd: Sshd, **changes: Any) -> Destination:
    """Settings that lead to the server, with some of them changed."""
    values = {
        "host": "127.0.0.1",
        "port": sshd.port,
        "user": sshd.user,
        "identity_file": str(sshd.identity),
        "known_hosts_file": str(sshd.known_hosts),
        "environment": "dev-cattle",
        "project_dir": "/global/cfs/cdirs/desi/x",
    }
    raw = {"stack": "x", "destinations": {"test": {**values, **changes}}}
    return load({"spinstack": raw}, Path("/")).destination("test")


def own_config(monkeypatch: pytest.MonkeyPatch, directory: Path) -> Path:
    """The ssh config of the test's home, for the `ssh` program too, which looks for it in the
    home that the system knows."""
    config = Path.home() / ".ssh" / "config"
    config.parent.mkdir(mode=0o700, exist_ok=True)
    programs = directory / "programs"
    programs.mkdir()
    wrapper = programs / "ssh"
    wrapper.write_text(f'#!/bin/sh\nexec {shutil.which("ssh")} -F {config} "$@"\n')
    wrapper.chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    return config


def version() -> tuple[int, int]:
    """Of this machine's OpenSSH: (9, 2)."""
    told = subprocess.run(["ssh", "-V"], capture_output=True, text=True).stderr
    found = re.match(r"OpenSSH_(\d+)\.(\d+)", told)
    assert found, told
    return int(found[1]), int(found[2])


def start(
    directory: Path,
    *,
    environment: str = "",
    command: str = "",
    settings: str = "",
    program: Path | None = None,
) -> Sshd:
    """Start sshd in the foreground as a child.

    `environment`: a SetEnv line's value. `command`: what runs instead of what is asked for,
    which it finds in SSH_ORIGINAL_COMMAND. `settings`: lines of sshd_config that win over
    those here. `program`: sshd by another name.
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
        # The first value of a key counts.
        f"{settings}Port {port}\nListenAddress 127.0.0.1\nHostKey {host_key}\nPidFile none\n"
        f"AuthorizedKeysFile {authorized}\nStrictModes no\nUsePAM no\nPermitRootLogin yes\n"
        "PasswordAuthentication no\nKbdInteractiveAuthentication no\n"
        + (f"SetEnv {environment}\n" if environment else "")
        + (f"ForceCommand {command}\n" if command else "")
    )
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)
    log = (directory / "sshd.log").open("wb")
    words = [str(program or sshd_program()), "-D", "-e", "-f", str(config)]
    process = subprocess.Popen(words, stderr=log)
    _wait_for(port, process, directory / "sshd.log")
    return Sshd(port, getpass.getuser(), identity, known_hosts, process)


def as_demo(home: Path, shell: str = "bash") -> str:
    """For `start(command=…)`: what sshd would do for the rehearsal's account, whose home this
    is, if its login shell were this one."""
    numbers = [f"--reuid={UID}", f"--regid={GID}", "--clear-groups"]
    variables = [f"HOME={home}", "USER=demo", "LOGNAME=demo", f"SHELL={shell}"]
    inner = f'cd && exec {shell} -c "$SSH_ORIGINAL_COMMAND"'
    return shlex.join(["exec", "setpriv", *numbers, "env", *variables, "sh", "-c", inner])


def _keys(directory: Path, name: str) -> Path:
    path = directory / name
    keygen("-t", "ed25519", "-N", "", "-f", str(path))
    return path


def keygen(*words: str) -> None:
    """Run ssh-keygen without what it says."""
    subprocess.run(["ssh-keygen", "-q", *words], check=True)


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
