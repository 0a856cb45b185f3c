"""The contract of a login node, on both wires, against a real OpenSSH server."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from spinstack.errors import SpinstackError
from spinstack.transport import connect as transport_connect
from spinstack.transport.channel_node import ChannelNode
from spinstack.transport.command import Command, Raw
from spinstack.transport.login_node import ConnectionLost
from spinstack.transport.script import Script, Step
from tests.wire_contract import *  # noqa: F403 - tests are collected by being imported
from tests.wire_contract import Connect, output, script

from . import openssh
from .cut_short import break_connection

pytestmark = pytest.mark.real("sshd")

# Start-up files that talk, and that read what is not theirs.
PROFILE = """\
echo 'Welcome; 3 messages of the day'
echo 'beware' >&2
read -r greedy; cat >/dev/null
export FROM_PROFILE=yes
"""


@pytest.fixture(params=["fabric", "openssh"])
def wire(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def sshd(tmp_path: Path) -> Iterator[openssh.Sshd]:
    home = tmp_path / "remote-home"
    home.mkdir()
    (home / ".bash_profile").write_text(PROFILE)
    server = openssh.start(
        tmp_path, environment=f"HOME={home} LANG=C.UTF-8", settings="LogLevel VERBOSE\n"
    )
    yield server
    server.stop()


@pytest.fixture
def connect(sshd: openssh.Sshd, wire: str) -> Iterator[Connect]:
    """Makes nodes with settings that may differ from what fits the server."""
    made: list[ChannelNode] = []

    def node(**changes: Any) -> ChannelNode:
        found = transport_connect.login_node(openssh.destination(sshd, wire=wire, **changes))
        assert isinstance(found, ChannelNode)
        made.append(found)
        return found

    yield node
    for found in made:
        found.close()


def logged(tmp_path: Path, text: str) -> int:
    return (tmp_path / "sshd.log").read_text().count(text)


def test_script_after_script_in_one_session_and_nothing_leaks(
    connect: Connect, tmp_path: Path
) -> None:
    node = connect()
    assert output(node, "echo", Raw('"$FROM_PROFILE"')) == "yes\n"
    home, shell = output(node, "pwd"), output(node, "echo", Raw("$$"))
    leaving = (Command(Raw("leak=1")), Command("cd", "/tmp"), Command("exec", "true"))
    with pytest.raises(SpinstackError, match="was ended in the step 'step'"):
        node.run(script(*leaving))
    assert output(node, "cat") == "", "no script is another one's input"
    node.run(Script((Step("fails", (Command("false"),)),)))
    assert output(node, "echo", Raw('"$leak$PWD"')) == home
    assert output(node, "echo", Raw("$$")) == shell
    assert logged(tmp_path, "Accepted publickey") == 1
    assert logged(tmp_path, "Starting session: command") == 1


def test_a_lost_connection_names_the_step_and_is_not_made_anew(
    connect: Connect, tmp_path: Path
) -> None:
    node = connect()
    threading.Timer(1.0, break_connection, (node,)).start()
    with pytest.raises(ConnectionLost, match="during the step 'step'") as error:
        node.run(script(Command("echo", "x"), Command("sleep", "20")))
    assert "every step can be repeated" in error.value.remedy
    with pytest.raises(ConnectionLost, match="was lost"):
        output(node, "true")
    assert logged(tmp_path, "Accepted publickey") == 1


def test_a_server_that_ends_the_connection_is_noticed_at_once(connect: Connect) -> None:
    node = connect()
    # The parent of the login shell is the server's process for this connection.
    cut = Command("kill", "-9", Raw("$PPID"))
    with pytest.raises(ConnectionLost, match="during the step 'step'"):
        node.run(script(Command("sleep", "0.5"), cut, Command("sleep", "5")))


def test_a_host_that_is_down_is_named(sshd: openssh.Sshd, connect: Connect) -> None:
    sshd.stop()
    with pytest.raises(SpinstackError, match=r"127\.0\.0\.1 can't be reached") as error:
        output(connect(), "true")
    assert str(sshd.port) in error.value.where


def test_a_name_that_does_not_exist_is_named(connect: Connect) -> None:
    with pytest.raises(SpinstackError, match=r"nowhere\.invalid can't be reached") as error:
        output(connect(host="nowhere.invalid", port=None), "true")
    assert "its name can't be resolved" in error.value.what


def test_a_server_that_says_nothing_is_given_up(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("spinstack.transport.openssh.login.CONNECT_SECONDS", 1)
    monkeypatch.setattr("spinstack.transport.fabric.node.CONNECT_SECONDS", 1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        node = connect(port=silent.getsockname()[1])
        with pytest.raises(SpinstackError, match="can't be reached"):
            output(node, "true")


def test_a_refused_login_says_what_to_do(connect: Connect, tmp_path: Path) -> None:
    with pytest.raises(SpinstackError, match="refused the login") as error:
        output(connect(identity_file=str(tmp_path / "host_key")), "true")
    assert "sshproxy" in error.value.remedy


def test_an_unknown_host_is_refused_where_nobody_can_be_asked(
    connect: Connect, tmp_path: Path
) -> None:
    with pytest.raises(SpinstackError, match="is not known") as error:
        output(connect(known_hosts_file=str(tmp_path / "none")), "true")
    assert "SHA256:" in error.value.where


def test_a_changed_host_key_is_refused(
    connect: Connect, sshd: openssh.Sshd, tmp_path: Path
) -> None:
    key = (tmp_path / "identity.pub").read_text()
    sshd.known_hosts.write_text(f"[127.0.0.1]:{sshd.port} {key}")
    with pytest.raises(SpinstackError, match="CHANGED") as error:
        output(connect(), "true")
    assert "SHA256:" in error.value.where


def test_the_ssh_config_is_honoured(
    connect: Connect, sshd: openssh.Sshd, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    config = openssh.own_config(monkeypatch, tmp_path)
    config.write_text(
        f"Host spin-login\n  HostName 127.0.0.1\n  Port {sshd.port}\n  User {sshd.user}\n"
        f"  IdentityFile {sshd.identity}\n  UserKnownHostsFile {sshd.known_hosts}\n"
    )
    way = dict.fromkeys(("port", "user", "identity_file", "known_hosts_file"))
    assert output(connect(host="spin-login", **way), "echo", "hallo") == "hallo\n"


def test_a_certificate_and_a_jump_host_of_the_ssh_config(
    connect: Connect, sshd: openssh.Sshd, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    authority, key = tmp_path / "authority", tmp_path / "certified"
    for path in (authority, key):
        openssh.keygen("-t", "ed25519", "-N", "", "-f", str(path))
    openssh.keygen("-s", str(authority), "-I", "me", "-n", sshd.user, f"{key}.pub")
    authorized = tmp_path / "authorized_keys"
    public = authority.with_suffix(".pub").read_text()
    authorized.write_text(f"cert-authority {public}")
    config = openssh.own_config(monkeypatch, tmp_path)
    way = f"  HostName 127.0.0.1\n  Port {sshd.port}\n  User {sshd.user}\n  IdentityFile {key}\n"
    way += f"  UserKnownHostsFile {sshd.known_hosts}\n"
    config.write_text(f"Host bastion\n{way}Host spin-login\n  ProxyJump bastion\n{way}")
    other = dict.fromkeys(("port", "user", "identity_file", "known_hosts_file"))
    node = connect(host="spin-login", **other)
    assert output(node, "echo", "hallo") == "hallo\n"
    assert logged(tmp_path, "Accepted publickey") == 2
    assert logged(tmp_path, "ED25519-CERT") == 2


def test_a_server_that_allows_one_session_at_a_time(wire: str, tmp_path: Path) -> None:
    server = openssh.start(tmp_path, settings="MaxSessions 1\n")
    node = transport_connect.login_node(openssh.destination(server, wire=wire))
    assert isinstance(node, ChannelNode)
    try:
        for _ in range(2):
            assert output(node, "echo", "hallo") == "hallo\n"
            assert node.converse(Command("echo", "asked"), lambda _: None).ok
    finally:
        node.close()
        server.stop()


@pytest.mark.real("tcsh")
def test_a_login_shell_that_is_csh(wire: str, tmp_path: Path) -> None:
    home = tmp_path / "remote-home"
    home.mkdir()
    (home / ".cshrc").write_text("echo 'welcome to csh'\n")
    server = openssh.start(
        tmp_path,
        environment=f"HOME={home}",
        command="/bin/sh -c 'exec tcsh -c \"$SSH_ORIGINAL_COMMAND\"'",
    )
    node = transport_connect.login_node(openssh.destination(server, wire=wire))
    assert isinstance(node, ChannelNode)
    try:
        for text in ("it's $HOME!", "no 'quote' \"lost\"!\n"):
            assert output(node, "printf", "%s", text) == text
        assert node.converse(Command("echo", "it's !"), lambda _: None).stdout.endswith("it's !\n")
    finally:
        node.close()
        server.stop()


def test_a_shell_that_takes_no_commands_has_the_last_word(wire: str, tmp_path: Path) -> None:
    said = "This account is currently not available."
    server = openssh.start(tmp_path, command=f"/bin/sh -c 'echo {said} >&2; exit 1'")
    node = transport_connect.login_node(openssh.destination(server, wire=wire))
    try:
        with pytest.raises(ConnectionLost, match="before the first step") as error:
            node.run(script(Command("true")))
        assert said in error.value.details
    finally:
        node.close()
        server.stop()
