"""Commands that are connected to this process, and logs that are followed, over a real OpenSSH
server: a pretend `rancher` prints and waits there."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from . import openssh
from .at_terminal import AtTerminal
from .stage import REPOSITORY

pytestmark = pytest.mark.real("sshd")

# `exec` runs the words after the container's id; `logs` prints and goes on, and notes its
# process id; `ps` lists the service.
RANCHER = """\
#!/bin/bash
case $1 in
  exec) while [ "$1" != 1i5 ]; do shift; done; shift; exec "$@" ;;
  logs) echo $$ >> "$HOME/following"; echo "2026-01-31T04:05:06Z log of ${@: -1}"
        exec sleep 1000 ;;
  ps) printf 'x/app\\nx/web\\n' ;;
esac
"""
# What a task does below its decorator, against the server of the test.
PROGRAM = """\
import sys
from pathlib import Path
from spinstack.config import settings
from spinstack.operate import exec as inside, logs
from spinstack.platforms.base import Container, LogQuery
from spinstack.platforms.client import StackClient
from spinstack.platforms.rancher1.platform import Rancher1
from spinstack.transport import connect

wire, port, user, identity, known_hosts, what, *words = sys.argv[1:]
values = {"wire": wire, "host": "127.0.0.1", "port": int(port), "user": user,
          "identity_file": identity, "known_hosts_file": known_hosts,
          "environment": "dev-cattle", "project_dir": "/x",
          "centre": {"rancher": {"modules": []}}}
raw = {"stack": "x", "destinations": {"test": values}}
destination = settings.load({"spinstack": raw}, Path("/")).destination("test")
there = StackClient(connect.login_node(destination), destination, Rancher1(), "x")
if what == "follow":
    def told(line):
        print(line.service, line.container, line.text, flush=True)
    logs.follow_lines(there, ["app", "web"], LogQuery(10), told)
else:
    container = Container("1i5", "x-app-1", "running")
    given = sys.stdin.buffer.read() if what == "fed" else b""
    code = inside.run(there, container, words, terminal=what == "terminal", input=given)
    sys.exit(code)
"""


@pytest.fixture
def sshd(tmp_path: Path) -> Iterator[openssh.Sshd]:
    home = tmp_path / "remote-home"
    (home / "bin").mkdir(parents=True)
    # Start-up files that talk, as those of login nodes do.
    (home / ".bash_profile").write_text(
        f"echo 'Welcome; 3 messages of the day'\necho 'beware' >&2\nPATH={home}/bin:$PATH\n"
    )
    rancher = home / "bin" / "rancher"
    rancher.write_text(RANCHER)
    rancher.chmod(0o755)
    server = openssh.start(tmp_path, environment=f"HOME={home}")
    yield server
    server.stop()


Words = Callable[..., list[str]]


@pytest.fixture(params=["fabric", "openssh"])
def words(request: pytest.FixtureRequest, sshd: openssh.Sshd) -> Words:
    """The command that does one of the program's deeds, over each of the wires."""
    login = (str(sshd.port), sshd.user, str(sshd.identity), str(sshd.known_hosts))
    return lambda *more: [sys.executable, "-c", PROGRAM, str(request.param), *login, *more]


def test_without_a_terminal_outputs_and_exit_code_are_the_command_s_alone(words: Words) -> None:
    command = words("plain", "sh", "-c", "echo out; cat; echo err >&2; exit 7")
    done = subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, cwd=REPOSITORY)
    assert (done.stdout, done.stderr, done.returncode) == (b"out\n", b"err\n", 7)


def test_input_arrives_to_its_last_byte(words: Words) -> None:
    data = os.urandom(300_000)
    command = words("fed", "cat")
    done = subprocess.run(command, capture_output=True, input=data, cwd=REPOSITORY, timeout=60)
    assert done.stdout == data
    assert done.returncode == 0


def test_a_terminal_is_there_as_large_as_here_and_gets_every_key(words: Words) -> None:
    command = words("terminal", "sh")
    person = AtTerminal(command, os.environ, REPOSITORY)
    person.wait_for("# ")
    person.type("stty size\r", "33 101")
    person.resize(20, 60)
    person.insist("stty size\r", "20 60")
    assert not person.echoes()  # the echo comes from there
    person.type("sleep 100\r", "sleep 100")
    time.sleep(0.3)
    person.type("\x03", "# ")
    person.type("echo after $?\r", "after 130")
    person.type("exit 5\r")
    assert person.code() == 5
    assert "Welcome" not in person.shown


def test_a_command_that_hangs_can_be_left(words: Words) -> None:
    person = AtTerminal(words("terminal", "sh"), os.environ, REPOSITORY)
    person.wait_for("# ")
    person.type("trap '' INT; cat > /dev/null\r", "null")
    person.type("\x03\r~.", "left the command")
    assert person.code() == 1


def followers(home: Path) -> list[int]:
    try:
        pids = [int(line) for line in (home / "following").read_text().split()]
    except FileNotFoundError:
        return []
    return [pid for pid in pids if Path(f"/proc/{pid}").exists()]


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGKILL])
def test_following_leaves_nothing_behind_however_it_ends(
    words: Words, tmp_path: Path, end: signal.Signals
) -> None:
    home = tmp_path / "remote-home"
    with subprocess.Popen(
        words("follow"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=REPOSITORY
    ) as person:
        assert person.stdout
        seen = {person.stdout.readline().decode().split()[0] for _ in range(2)}
        assert seen == {"app", "web"}
        assert len(followers(home)) == 2
        person.send_signal(end)
        person.wait(20)
    deadline = time.monotonic() + 10
    while followers(home) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not followers(home)
