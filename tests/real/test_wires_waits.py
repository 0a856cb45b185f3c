"""What a login waits for if it is not the host: said after some seconds, and named in the error."""

from __future__ import annotations

import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from spinstack.config import settings
from spinstack.errors import SpinstackError
from spinstack.transport import connect as transport_connect
from spinstack.transport.channel_node import ChannelNode
from spinstack.transport.command import Command
from spinstack.transport.script import Script, Step

from . import one_time, openssh

pytestmark = pytest.mark.real("sshd")

SCRIPT = Script((Step("step", (Command("true"),)),), seconds=20)
WIRES = ["openssh", "fabric"]


@pytest.fixture(params=WIRES)
def wire(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spinstack.transport.waits.TOLD_AFTER", 0.5)
    monkeypatch.setattr("spinstack.transport.waits.AT_MOST", 5.0)


@pytest.fixture
def sshd(tmp_path: Path) -> Iterator[openssh.Sshd]:
    server = openssh.start(tmp_path)
    yield server
    server.stop()


@contextmanager
def accepting(listening: socket.socket, serve: Callable[[socket.socket], None]) -> Iterator[None]:
    """A server that serves each connection beside the others, and closes none."""
    kept = []

    def take() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            kept.append(connection)
            threading.Thread(target=serve, args=(connection,), daemon=True).start()

    threading.Thread(target=take, daemon=True).start()
    try:
        yield
    finally:
        listening.close()
        for connection in kept:
            connection.close()


def silent(listening: socket.socket, greeting: bytes = b"") -> AbstractContextManager[None]:
    """A server that takes connections, says this, and then nothing any more."""
    return accepting(listening, lambda connection: connection.sendall(greeting))


@contextmanager
def silent_agent(directory: Path) -> Iterator[Path]:
    """A key agent that waits for its owner."""
    path = directory / "agent"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()
        with silent(listening):
            yield path


Fail = Callable[..., tuple[SpinstackError, list[str]]]


@pytest.fixture
def fail(sshd: openssh.Sshd, wire: str) -> Fail:
    """A login that fails: its error, and what was said before."""

    def login(**changes: Any) -> tuple[SpinstackError, list[str]]:
        told: list[str] = []
        to = openssh.destination(sshd, wire=wire, **changes)
        node = transport_connect.login_node(to, told.append)
        assert isinstance(node, ChannelNode)
        try:
            with pytest.raises(SpinstackError) as raised:
                node.run(SCRIPT)
        finally:
            node.close()
        return raised.value, told

    return login


def test_a_key_agent_that_waits_for_its_owner(
    sshd: openssh.Sshd, fail: Fail, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with silent_agent(tmp_path) as agent:
        monkeypatch.setenv("SSH_AUTH_SOCK", str(agent))
        error, told = fail(identity_file=str(tmp_path / "host_key"))
    assert any("waits for the key agent" in line for line in told)
    assert "the key agent does not respond" in error.what
    assert str(agent) in error.where
    assert "can't be reached" not in error.what
    assert "IdentityAgent none" in error.remedy


def test_the_key_agent_is_left_out_as_advised(
    sshd: openssh.Sshd, wire: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = openssh.own_config(monkeypatch, tmp_path)
    config.write_text("Host 127.0.0.1\n  IdentityAgent none\n")
    with silent_agent(tmp_path) as agent:
        monkeypatch.setenv("SSH_AUTH_SOCK", str(agent))
        node = transport_connect.login_node(openssh.destination(sshd, wire=wire))
        assert isinstance(node, ChannelNode)
        assert node.run(SCRIPT).complete
        node.close()


def test_a_key_agent_that_never_signs(
    sshd: openssh.Sshd, fail: Fail, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As one that shows a window to confirm each use: it lists its keys at once."""
    path = tmp_path / "agent"
    with socket.socket(socket.AF_UNIX) as listening, _listing(sshd, listening, path):
        monkeypatch.setenv("SSH_AUTH_SOCK", str(path))
        error, told = fail(identity_file=str(tmp_path / "host_key"))
    assert any("waits for the key agent" in line for line in told)
    assert "the key agent does not respond" in error.what


@contextmanager
def _listing(sshd: openssh.Sshd, listening: socket.socket, path: Path) -> Iterator[None]:
    """An agent that has the key, and answers all questions but the one to sign."""
    import base64

    blob = base64.b64decode(sshd.identity.with_suffix(".pub").read_text().split()[1])
    # RFC draft-miller-ssh-agent: SSH_AGENT_IDENTITIES_ANSWER, one key with an empty comment.
    body = b"\x0c" + (1).to_bytes(4, "big") + len(blob).to_bytes(4, "big") + blob + bytes(4)

    def serve(connection: socket.socket) -> None:
        while True:
            size = connection.recv(4)
            if not size:
                return
            asked = connection.recv(int.from_bytes(size, "big"))
            if asked[:1] == b"\x0b":
                connection.sendall(len(body).to_bytes(4, "big") + body)
            elif asked[:1] != b"\x0d":
                connection.sendall(b"\0\0\0\1\x05")

    listening.bind(str(path))
    listening.listen()
    with accepting(listening, serve):
        yield


@pytest.mark.parametrize("way", ["jump host", "ProxyCommand"])
def test_what_is_silent_on_the_way_is_named(
    fail: Fail, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    monkeypatch.setattr("spinstack.transport.openssh.login.CONNECT_SECONDS", 2)
    monkeypatch.setattr("spinstack.transport.fabric.node.CONNECT_SECONDS", 2)
    config = openssh.own_config(monkeypatch, tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        line = "ProxyCommand sleep 30" if way == "ProxyCommand" else "ProxyJump bastion"
        config.write_text(
            f"Host bastion\n  HostName 127.0.0.1\n  Port {port}\nHost spin-login\n  {line}\n"
        )
        with silent(listening):
            error, told = fail(host="spin-login")
    named = "ProxyCommand" if way == "ProxyCommand" else "the jump host bastion"
    assert any(named in line for line in told)
    assert "the login node spin-login can't be reached" in error.what
    assert named in error.what
    assert way.replace("jump host", "ProxyJump") in error.where
    assert "ssh" in error.remedy


@pytest.mark.parametrize("away", ["nowhere.invalid", "127.0.0.1"])
def test_a_jump_host_that_is_away_is_named(
    fail: Fail, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, away: str
) -> None:
    config = openssh.own_config(monkeypatch, tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    config.write_text(f"Host spin-login\n  ProxyJump me@{away}:{port}\n")
    error, _ = fail(host="spin-login")
    assert "the login node spin-login can't be reached" in error.what
    assert away in error.what
    assert "ProxyJump of spin-login" in error.where
    assert "remove ProxyJump" in error.remedy


def test_a_host_that_greets_and_then_is_silent_is_not_away(
    fail: Fail, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("spinstack.transport.fabric.node.CONNECT_SECONDS", 2)
    listening = socket.create_server(("127.0.0.1", 0))
    with silent(listening, b"SSH-2.0-OpenSSH_9.2\r\n"):
        error, _ = fail(port=listening.getsockname()[1])
    assert "the host answers, but does not finish the login" in error.what


@pytest.mark.real("root", "one-time codes")
def test_a_second_factor_that_nobody_confirms(wire: str, tmp_path: Path) -> None:
    """The host has its answer, and waits for something else."""
    with one_time.login_node(tmp_path) as server:
        (tmp_path / "password-is-right").write_text("#!/bin/sh\nexec sleep 60\n")
        answer = tmp_path / "answer"
        answer.write_text(server.person.answer() + "\n")
        answer.chmod(0o600)
        way = server.settings(wire=wire, login_answer_file=str(answer))
        own = {"environment": "dev-cattle", "project_dir": "/x", **way}
        raw = {"stack": "x", "destinations": {"test": own}}
        to = settings.load({"spinstack": raw}, Path("/")).destination("test")
        told: list[str] = []
        with pytest.raises(SpinstackError) as raised:
            transport_connect.login_node(to, told.append).run(SCRIPT)
    assert "waited in vain for an answer to a question or a second factor" in raised.value.what
    assert "`invoke login` in a terminal" in raised.value.remedy


def test_an_agent_with_too_many_keys_is_told_as_such(
    sshd: openssh.Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And what is advised then helps. The other wire tries files before the agent."""
    path, key = tmp_path / "agent", f"  IdentityFile {sshd.identity}\n"
    way = f"Host spin-login\n  HostName 127.0.0.1\n  Port {sshd.port}\n"
    config = openssh.own_config(monkeypatch, tmp_path)
    other = {"host": "spin-login", "port": None, "identity_file": None, "wire": "openssh"}
    node = transport_connect.login_node(openssh.destination(sshd, **other))
    monkeypatch.setenv("SSH_AUTH_SOCK", str(path))
    with subprocess.Popen(["ssh-agent", "-D", "-a", str(path)], stdout=subprocess.DEVNULL) as agent:
        try:
            while not path.exists():
                time.sleep(0.05)
            for number in range(7):
                openssh.keygen("-t", "ed25519", "-N", "", "-f", str(tmp_path / f"key{number}"))
                add = ["ssh-add", "-q", str(tmp_path / f"key{number}")]
                subprocess.run(add, check=True, stderr=subprocess.DEVNULL)
            config.write_text(way + key)
            with pytest.raises(SpinstackError, match="Too many authentication failures") as raised:
                node.run(SCRIPT)
            assert "`IdentitiesOnly yes`, both for that host" in raised.value.remedy
            config.write_text(way + key + "  IdentitiesOnly yes\n")
            assert node.run(SCRIPT).complete
        finally:
            node.close()
            agent.terminate()
