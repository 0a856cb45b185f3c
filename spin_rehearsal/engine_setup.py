"""A container engine that answers: found, started or, where that is possible, installed."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from spin_rehearsal import packages
from spinstack.errors import SpinstackError
from spinstack.images.engine import find
from spinstack.text import split_lines
from spinstack.transport.command import Command
from spinstack.transport.runner import Runner

Say = Callable[[str], None]

DOCKER = "docker"

# How long a new dockerd may take; seconds.
START_WITHIN = 60.0

DOCKERD_LOG = Path("/var/log/spinstack-dockerd.log")
# The process id of a dockerd that was started here, for whoever stops it again.
DOCKERD_PID = Path("/run/spinstack-dockerd.pid")
STOP_WITHIN = 30.0


def ensure_engine(runner: Runner, say: Say) -> str:
    """`docker` or `podman`, whichever answers first; installs and starts docker if need be.

    Raises SpinstackError that says in one sentence what to install or to start.
    """
    if runner.dry:
        runner.run(Command(DOCKER, "version"), changes=False)
        return DOCKER
    try:
        return find(runner).name
    except SpinstackError:
        if os.geteuid() != 0 or not _can_start_docker():
            raise
    _ensure_docker_installed(runner, say)
    _start_docker(runner, say)
    return DOCKER


def _can_start_docker() -> bool:
    return packages.can_install() or packages.find_program("dockerd") is not None


def _ensure_docker_installed(runner: Runner, say: Say) -> None:
    if packages.find_program("dockerd") is None:
        say("no working container engine; installing docker.io")
        packages.install(runner, ["docker.io"])
    # Since Debian 13 the client is a package of its own, and only recommended.
    packages.ensure_packages(runner, say, {"docker": "docker-cli"})


def _start_docker(runner: Runner, say: Say) -> None:
    """Start dockerd and wait for its answer; by systemd where that runs, else by itself."""
    say("starting dockerd")
    process = None
    if Path("/run/systemd/system").is_dir():
        runner.run(Command("systemctl", "start", "docker"), timeout=START_WITHIN)
    else:
        process = _spawn_dockerd()
    deadline = time.monotonic() + START_WITHIN
    while time.monotonic() < deadline:
        with suppress(SpinstackError):  # not yet
            find(runner, DOCKER)
            return
        if process is not None and process.poll() is not None:
            break
        time.sleep(0.3)
    raise SpinstackError(
        "dockerd did not start",
        where=str(DOCKERD_LOG) if process else "journalctl -u docker",
        remedy="fix what its log reports, then run the same command again",
        details=_tail(DOCKERD_LOG) if process else "",
    )


def _spawn_dockerd() -> subprocess.Popen[bytes]:
    """Detached: it belongs to the machine, not to this command, and outlives it."""
    program = packages.find_program("dockerd")
    assert program is not None
    path = os.pathsep.join([os.environ.get("PATH", ""), *packages.SBIN])
    with DOCKERD_LOG.open("ab") as log:
        process = subprocess.Popen(
            [program],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd="/",
            env={**os.environ, "PATH": path},
            start_new_session=True,
        )
    DOCKERD_PID.write_text(f"{process.pid}\n")
    return process


def stop_own_docker(runner: Runner, say: Say) -> None:
    """Stop the dockerd that `ensure_engine` started, unless containers run in it.

    Installed packages are kept. Nothing to do if systemd or somebody else started the engine.
    """
    pid = _own_dockerd()
    if pid is None:
        return
    running = runner.run(Command(DOCKER, "ps", "--quiet"), timeout=START_WITHIN, changes=False)
    if running.stdout.strip():
        say("dockerd keeps running: it runs other containers")
        return
    runner.run(Command("kill", str(pid)))
    deadline = time.monotonic() + STOP_WITHIN
    while _own_dockerd() is not None and time.monotonic() < deadline:
        time.sleep(0.2)
    if not runner.dry:
        DOCKERD_PID.unlink(missing_ok=True)
        DOCKERD_LOG.unlink(missing_ok=True)
    say("stopped dockerd, which was started for this; the package docker.io is kept")


def _own_dockerd() -> int | None:
    """The process id of the dockerd started here, if it is one and still runs."""
    try:
        pid = int(DOCKERD_PID.read_text())
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except (OSError, ValueError):
        return None
    return pid if words[0].endswith(b"dockerd") else None


def _tail(log: Path, lines: int = 12) -> str:
    return "\n".join(split_lines(log.read_text(errors="replace"))[-lines:])
