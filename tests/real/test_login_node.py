"""The login itself, against a real OpenSSH server: what each wire does in its own way."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from spinstack.errors import SpinstackError, UsageError
from spinstack.transport import connect
from spinstack.transport.command import Command, Raw
from spinstack.transport.fabric.node import FabricLoginNode
from spinstack.transport.login_node import ConnectionLost
from spinstack.transport.openssh import login as openssh_login
from spinstack.transport.openssh import master as openssh_master
from spinstack.transport.openssh.master import Master
from spinstack.transport.openssh.node import OpenSSHLoginNode
from spinstack.transport.script import Script, Step

from . import openssh
from .at_terminal import AtTerminal
from .stage import REPOSITORY

pytestmark = pytest.mark.real("sshd")

# The parent of the login shell is the server's process for this connection.
LEAVING = Script((Step("leave", (Command("kill", "-9", Raw("$PPID")), Command("sleep", "5"))),))
SCRIPT = Script((Step("step", (Command("echo", "hallo"),)),), seconds=20)


@pytest.fixture
def sshd(tmp_path: Path) -> Iterator[openssh.Sshd]:
    banner = tmp_path / "banner"
    banner.write_text("NOTICE TO USERS\nPermission denied (of nothing)\n")
    server = openssh.start(tmp_path, settings=f"Banner {banner}\n")
    yield server
    server.stop()


def logins(tmp_path: Path) -> int:
    return (tmp_path / "sshd.log").read_text().count("Accepted publickey")


def test_fabric_shows_an_unknown_host_asks_and_remembers(
    sshd: openssh.Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def answer(text: str) -> str:
        asked.append(text)
        return "yes"

    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr("builtins.input", answer)
    known = tmp_path / "new" / "known_hosts"
    for _ in range(2):
        node = FabricLoginNode(openssh.destination(sshd, known_hosts_file=str(known)))
        assert node.run(SCRIPT).complete
    (text,) = asked
    assert "SHA256:" in text


# What a task does, in a process of its own: port, user, identity and known hosts are given.
PROGRAM = """\
import sys
from pathlib import Path
from spinstack.config import settings
from spinstack.transport.openssh.node import OpenSSHLoginNode
from spinstack.transport.command import Command, Raw
from spinstack.transport.script import Script, Step

port, user, identity, known_hosts, *words = sys.argv[1:]
values = {"host": "127.0.0.1", "port": int(port), "user": user, "identity_file": identity,
          "known_hosts_file": known_hosts, "environment": "dev-cattle", "project_dir": "/x"}
raw = {"stack": "x", "destinations": {"test": values}}
node = OpenSSHLoginNode(settings.load({"spinstack": raw}, Path("/")).destination("test"), print)
step = Step("step", (Command(*words),))
print(node.run(Script((step,)), on_begin=lambda name: print(name, flush=True)).output("step"))
assert not {"paramiko", "fabric", "rich"} & set(sys.modules), "the other wire's libraries"
"""


def command(sshd: openssh.Sshd, *words: str, known_hosts: Path | None = None) -> list[str]:
    login = (sshd.port, sshd.user, sshd.identity, known_hosts or sshd.known_hosts)
    return [sys.executable, "-c", PROGRAM, *map(str, login), *words]


def test_ssh_itself_asks_about_an_unknown_host_and_remembers(
    sshd: openssh.Sshd, tmp_path: Path
) -> None:
    words = command(sshd, "echo", "hallo", known_hosts=tmp_path / "new" / "known_hosts")
    person = AtTerminal(words, os.environ, REPOSITORY)
    person.wait_for("continue connecting")
    person.type("yes\r", "hallo")
    assert person.code() == 0, person.shown
    assert "SHA256:" in person.shown
    assert Master(openssh.destination(sshd)).close()
    done = subprocess.run(words, capture_output=True, stdin=subprocess.DEVNULL, cwd=REPOSITORY)
    assert b"hallo" in done.stdout, done


def test_one_login_serves_commands_at_once_and_one_after_the_other(
    sshd: openssh.Sshd, tmp_path: Path
) -> None:
    words = command(sshd, "echo", "hallo")
    at_once = [
        subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=REPOSITORY)
        for _ in range(3)
    ]
    said = [process.communicate(timeout=60) for process in at_once]
    assert all(b"hallo" in out for out, _ in said), said
    assert sum(b"the login stays open" in out for out, _ in said) == 1, said
    assert not any(b"NOTICE" in out + err for out, err in said), said
    master = Master(openssh.destination(sshd, project_dir="/another/stack"))
    there = master.alive()
    assert there and time.time() - there.since < 60
    assert 0 < openssh_master.PERSIST_HOURS * 3600 - there.left < 60
    assert OpenSSHLoginNode(openssh.destination(sshd)).run(SCRIPT).output("step") == "hallo\n"
    assert logins(tmp_path) == 1
    assert stat.S_IMODE(master.socket.parent.stat().st_mode) == 0o700
    assert master.close() and not master.close()
    assert master.alive() is None


def test_ctrl_c_ends_the_command_not_the_login(sshd: openssh.Sshd, tmp_path: Path) -> None:
    person = AtTerminal(command(sshd, "sleep", "60"), os.environ, REPOSITORY)
    person.wait_for("step")
    person.type("\x03")
    assert person.code() != 0
    assert OpenSSHLoginNode(openssh.destination(sshd)).run(SCRIPT).complete
    assert logins(tmp_path) == 1


def test_a_socket_that_was_left_behind_is_replaced(sshd: openssh.Sshd) -> None:
    to = openssh.destination(sshd)
    os.kill(Master(to).open().pid, signal.SIGKILL)
    assert Master(to).socket.exists()
    said: list[str] = []
    assert OpenSSHLoginNode(to, said.append).run(SCRIPT).complete
    assert Master(to).close()
    assert OpenSSHLoginNode(to, said.append).run(SCRIPT).complete
    # The server ends it, whose ssh takes its socket with it.
    with pytest.raises(ConnectionLost):
        OpenSSHLoginNode(to, said.append).run(LEAVING)
    assert OpenSSHLoginNode(to, said.append).run(SCRIPT).complete
    assert ["the previous login has ended" in line for line in said] == [True, False, True]


def test_a_login_that_was_begun_is_the_one_that_is_used(sshd: openssh.Sshd, tmp_path: Path) -> None:
    said: list[str] = []
    begun = connect.begin(openssh.destination(sshd), said.append)
    node = connect.login_node(openssh.destination(sshd), said.append, begun)
    assert node.run(SCRIPT)["step"].output.strip() == "hallo"
    node.close()
    assert logins(tmp_path) == 1
    assert [line.split()[0] for line in said] == ["logging"]
    # Nothing is begun where somebody is logged in.
    again = connect.begin(openssh.destination(sshd), said.append)
    assert again and again.there().pid and len(said) == 1


def test_a_login_that_was_not_needed_is_ended(sshd: openssh.Sshd) -> None:
    begun = connect.begin(openssh.destination(sshd), lambda _: None)
    assert begun
    begun.abandon()
    assert begun.alive() is None
    # Neither the lock nor a socket keeps the next one from logging in.
    assert Master(openssh.destination(sshd)).open().pid


def test_a_login_that_hangs_is_told(sshd: openssh.Sshd, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spinstack.transport.openssh.mux.ANSWER_SECONDS", 0.5)
    to = openssh.destination(sshd)
    pid = Master(to).open().pid
    os.kill(pid, signal.SIGSTOP)
    try:
        with pytest.raises(SpinstackError, match="does not respond") as error:
            OpenSSHLoginNode(to).run(SCRIPT)
    finally:
        os.kill(pid, signal.SIGCONT)
    assert str(Master(to).socket) in error.value.where


def test_a_directory_that_others_can_enter_is_refused(sshd: openssh.Sshd) -> None:
    to = openssh.destination(sshd)
    directory = Master(to).socket.parent
    directory.mkdir(parents=True)
    directory.chmod(0o770)
    with pytest.raises(SpinstackError, match="is accessible to others") as error:
        OpenSSHLoginNode(to).run(SCRIPT)
    assert f"chmod 700 {directory}" in error.value.remedy


@pytest.mark.real("root")
def test_a_directory_of_somebody_else_is_refused(sshd: openssh.Sshd) -> None:
    to = openssh.destination(sshd)
    directory = Master(to).socket.parent
    directory.mkdir(parents=True, mode=0o700)
    os.chown(directory, 12345, 12345)
    with pytest.raises(SpinstackError, match="belongs to somebody else"):
        OpenSSHLoginNode(to).run(SCRIPT)


def test_a_file_system_without_sockets_is_told_before_anybody_logs_in(
    sshd: openssh.Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr("os.link", refuse)
    with pytest.raises(SpinstackError, match="file system does not support ssh sockets") as error:
        OpenSSHLoginNode(openssh.destination(sshd)).run(SCRIPT)
    assert "wire: fabric" in error.value.remedy
    assert logins(tmp_path) == 0


def test_a_long_home_has_its_sockets_elsewhere(
    sshd: openssh.Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / ("long" * 20)))
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    to = openssh.destination(sshd)
    assert Master(to).socket.parent == Path(f"/tmp/spinstack-ssh-{os.getuid()}")
    assert OpenSSHLoginNode(to).run(SCRIPT).complete
    assert Master(to).close()


def test_no_ssh_or_an_old_one_is_told_by_name(
    sshd: openssh.Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    to = openssh.destination(sshd, wire="openssh")
    old = tmp_path / "ssh"
    with monkeypatch.context() as patch:
        patch.setenv("PATH", str(tmp_path))
        with pytest.raises(UsageError, match="OpenSSH is not installed"):
            Master(to).open()
        old.write_text("#!/bin/sh\necho 'OpenSSH_8.2p1 Ubuntu-4ubuntu0.11, OpenSSL 1.1.1f' >&2\n")
        old.chmod(0o755)
        with pytest.raises(UsageError, match=r"OpenSSH 8\.2 is too old") as error:
            Master(to).open()
        assert connect.chosen(openssh.destination(sshd)) == "fabric"
    assert connect.chosen(openssh.destination(sshd)) == "openssh"
    assert "wire: fabric" in error.value.remedy


def test_a_key_with_a_passphrase_is_not_answered_with_the_login_answer(
    sshd: openssh.Sshd, tmp_path: Path
) -> None:
    """It would go into a log of whoever asks for passphrases; and the key is not used."""
    subprocess.run(["ssh-keygen", "-q", "-p", "-N", "s3cret", "-f", str(sshd.identity)], check=True)
    answer = tmp_path / "answer"
    answer.write_text("s3cret\n")
    answer.chmod(0o644)
    to = openssh.destination(sshd, login_answer_file=str(answer))
    with pytest.raises(UsageError, match="others can read the file with the login answer"):
        OpenSSHLoginNode(to).run(SCRIPT)
    answer.chmod(0o600)
    with pytest.raises(SpinstackError, match="refused the login"):
        OpenSSHLoginNode(to).run(SCRIPT)
    assert [path.suffix for path in Master(to).socket.parent.iterdir()] == [".lock"]


def test_words_of_ssh_hold_no_secret(sshd: openssh.Sshd, tmp_path: Path) -> None:
    answer = tmp_path / "answer"
    answer.write_text("s3cret123456\n")
    to = openssh.destination(sshd, login_answer_file=str(answer))
    words = openssh_login.options(to, openssh_login.asking(to))
    assert "s3cret" not in " ".join(words)
