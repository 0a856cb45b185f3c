"""What web/start.sh leaves for nginx in /tmp."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from pathlib import Path

import pytest

from tests.unit import stack_session

# Says what it finds in place of nginx, which is started last.
NGINX = """#!/bin/sh
echo "$@"
ls "{tmp}"
cat "{tmp}/trusted-proxies.conf"
echo end
"""


@pytest.fixture
def tmp(tmp_path: Path) -> Path:
    (tmp_path / "tmp").mkdir()
    return tmp_path / "tmp"


def started(tmp: Path, **variables: str) -> list[str]:
    """What nginx finds when the script has started it."""
    web = stack_session.baked(tmp.parent) / "web"
    script = tmp.parent / "start.sh"
    script.write_text((web / "start.sh").read_text().replace("/tmp/", f"{tmp}/"))
    programs = tmp.parent / "bin"
    programs.mkdir()
    (programs / "nginx").write_text(NGINX.format(tmp=tmp))
    (programs / "nginx").chmod(0o755)
    process = subprocess.Popen(
        ["/bin/sh", str(script)],
        env={"PATH": f"{programs}:{os.environ['PATH']}", **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    assert process.stdout
    try:
        # Until nginx has spoken: what looks names up goes on, and holds the pipe.
        lines = list(iter(process.stdout.readline, "end\n"))
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    return [line.rstrip("\n") for line in lines]


def test_sockets_of_a_container_that_was_killed_are_removed(tmp: Path) -> None:
    with socket.socket(socket.AF_UNIX) as old:
        old.bind(str(tmp / "app.sock"))
        lines = started(tmp)
    assert "workers.conf" in lines
    assert "app.sock" not in lines


def test_nobody_is_trusted_unless_it_is_said(tmp: Path) -> None:
    started(tmp)
    assert (tmp / "trusted-proxies.conf").read_text() == ""


def test_the_networks_of_proxies_are_trusted(tmp: Path) -> None:
    lines = started(tmp, TRUSTED_PROXIES="10.42.0.0/16 128.55.206.0/24")
    assert [line for line in lines if line.startswith("set_")] == [
        "set_real_ip_from 10.42.0.0/16;",
        "set_real_ip_from 128.55.206.0/24;",
    ]
