"""Programs from Debian packages: installed if possible, otherwise asked for."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from spinstack.errors import SpinstackError
from spinstack.text import split_lines
from spinstack.transport.command import Command
from spinstack.transport.runner import Runner

Say = Callable[[str], None]

# Where Debian puts servers; a plain user's PATH leaves these out.
SBIN = ("/usr/local/sbin", "/usr/sbin", "/sbin")

# Read by invoke-rc.d and deb-systemd-invoke before a package starts its service; exit code
# 101 forbids it (Debian's policy-rc.d interface, /usr/share/doc/init-system-helpers).
POLICY = Path("/usr/sbin/policy-rc.d")

# A slow mirror may need minutes; in seconds.
INSTALL_WITHIN = 900.0


def find_program(name: str) -> str | None:
    """The path of a program, the servers' directories included."""
    return shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", ""), *SBIN]))


def can_install() -> bool:
    """Whether Debian packages can be installed: root, on Debian or one of its children."""
    return os.geteuid() == 0 and shutil.which("apt-get") is not None


def ensure_packages(runner: Runner, say: Say, wanted: Mapping[str, str]) -> None:
    """Install what is missing of `wanted`: program (or absolute path of a file) -> package.

    Raises SpinstackError naming the packages where they can't be installed.
    """
    missing = sorted({package for item, package in wanted.items() if not _is_there(item)})
    if not missing:
        return
    names = " ".join(missing)
    if not runner.dry and not can_install():
        raise SpinstackError(
            f"missing on this machine: {names}",
            remedy=f"install them (on Debian or Ubuntu: sudo apt-get install {names}) "
            "and run the same command again",
        )
    say(f"installing {names}")
    install(runner, missing)


def _is_there(item: str) -> bool:
    if item.startswith("/"):
        return Path(item).exists()
    return find_program(item) is not None


def install(runner: Runner, packages: list[str]) -> None:
    """Install Debian packages as root, without starting what they bring.

    The lists of packages are fetched only if they turn out missing or too old. Raises
    SpinstackError with apt's own words.
    """
    with _services_left_alone(runner):
        answer = _apt(runner, "install", "--yes", "--no-install-recommends", *packages)
        if answer is None:
            return
        _apt(runner, "update")
        answer = _apt(runner, "install", "--yes", "--no-install-recommends", *packages)
    if answer is not None:
        raise SpinstackError(
            f"{' '.join(packages)} could not be installed",
            remedy="fix what apt-get reports above, then run the same command again",
            details=answer,
        )


def _apt(runner: Runner, *words: str) -> str | None:
    """Run apt-get: None for success, else the end of what it said."""
    done = runner.run(
        Command("apt-get", "-q", *words),
        env={"DEBIAN_FRONTEND": "noninteractive"},
        timeout=INSTALL_WITHIN,
    )
    if done.ok:
        return None
    return "\n".join(split_lines(done.stdout + done.stderr)[-12:])


@contextmanager
def _services_left_alone(runner: Runner) -> Iterator[None]:
    """While packages are installed, none may start its service on ports of its own choice."""
    if runner.dry or POLICY.exists():
        yield
        return
    POLICY.write_text("#!/bin/sh\nexit 101\n")
    POLICY.chmod(0o755)
    try:
        yield
    finally:
        POLICY.unlink(missing_ok=True)
