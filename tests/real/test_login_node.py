"""The Fabric connection against a real OpenSSH server."""

from __future__ import annotations

import base64
import hashlib
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from spinstack import settings
from spinstack.command import Command, Raw, Secret
from spinstack.errors import SpinstackError
from spinstack.fabric_node import FabricLoginNode
from spinstack.login_node import ConnectionLost
from spinstack.script import Script, Step

from . import openssh

pytestmark = pytest.mark.real("sshd")


@pytest.fixture
def sshd(tmp_path: Path) -> Iterator[openssh.Sshd]:
    server = openssh.start(tmp_path)
    yield server
    server.stop()


def destination(sshd: openssh.Sshd, **changes: Any) -> settings.Destination:
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
    return settings.load({"spinstack": raw}, Path("/")).destination("test")


def script(*commands: Command, seconds: float = 20) -> Script:
    return Script((Step("step", commands),), seconds=seconds)


def test_many_scripts_one_login(sshd: openssh.Sshd, tmp_path: Path) -> None:
    node = FabricLoginNode(destination(sshd))
    begun: list[str] = []
    for number in range(3):
        result = node.run(script(Command("echo", f"it's {number}")), on_begin=begun.append)
        assert result.output("step") == f"it's {number}\n"
    node.close()
    assert begun == ["step"] * 3
    assert (tmp_path / "sshd.log").read_text().count("Accepted publickey") == 1


def test_a_large_payload_arrives_whole(sshd: openssh.Sshd) -> None:
    data = os.urandom(3_000_000)
    bulk = Secret(base64.b64encode(data).decode(), label="<bulk>")
    words = ("printf", "%s", bulk, Raw("|"), "base64", "-d", Raw("|"), "sha256sum")
    result = FabricLoginNode(destination(sshd)).run(script(Command(*words)))
    assert result.output("step").split()[0] == hashlib.sha256(data).hexdigest()


def test_an_unknown_host_is_refused_where_nobody_can_be_asked(
    sshd: openssh.Sshd, tmp_path: Path
) -> None:
    node = FabricLoginNode(destination(sshd, known_hosts_file=str(tmp_path / "none")))
    with pytest.raises(SpinstackError, match="is not known") as error:
        node.run(script(Command("true")))
    assert "SHA256:" in error.value.where


def test_an_unknown_host_is_shown_asked_about_and_remembered(
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
        node = FabricLoginNode(destination(sshd, known_hosts_file=str(known)))
        assert node.run(script(Command("true"))).complete
    (text,) = asked
    assert "SHA256:" in text


def test_a_changed_host_key_is_refused(sshd: openssh.Sshd, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    second = openssh.start(other)
    key = second.known_hosts.read_text().split(" ", 1)[1]
    second.stop()
    sshd.known_hosts.write_text(f"[127.0.0.1]:{sshd.port} {key}")
    with pytest.raises(SpinstackError, match="CHANGED"):
        FabricLoginNode(destination(sshd)).run(script(Command("true")))


def test_the_ssh_config_is_honoured(sshd: openssh.Sshd) -> None:
    config = Path.home() / ".ssh" / "config"
    config.parent.mkdir(mode=0o700)
    config.write_text(
        f"Host spin-login\n  HostName 127.0.0.1\n  Port {sshd.port}\n  User {sshd.user}\n"
        f"  IdentityFile {sshd.identity}\n  UserKnownHostsFile {sshd.known_hosts}\n"
    )
    to = destination(
        sshd, host="spin-login", port=None, user=None, identity_file=None, known_hosts_file=None
    )
    result = FabricLoginNode(to).run(script(Command("echo", "hallo")))
    assert result.output("step") == "hallo\n"


def test_a_refused_login_says_what_to_do(sshd: openssh.Sshd, tmp_path: Path) -> None:
    to = destination(sshd, identity_file=str(tmp_path / "host_key"))
    with pytest.raises(SpinstackError, match="refused the login") as error:
        FabricLoginNode(to).run(script(Command("true")))
    assert "sshproxy" in error.value.remedy


def test_a_step_that_never_ends_is_ended(sshd: openssh.Sshd) -> None:
    begin = time.monotonic()
    with pytest.raises(SpinstackError, match="'step' did not finish within 1 s"):
        FabricLoginNode(destination(sshd)).run(script(Command("sleep", "60"), seconds=1))
    assert time.monotonic() - begin < 15


def test_a_step_that_prints_without_end_is_ended(sshd: openssh.Sshd) -> None:
    with pytest.raises(SpinstackError, match="prints without end"):
        FabricLoginNode(destination(sshd)).run(script(Command("yes"), seconds=60))


def test_a_lost_connection_names_the_step(sshd: openssh.Sshd) -> None:
    node = FabricLoginNode(destination(sshd))
    # The parent of the login shell is the server's process for this connection.
    cut = Command("kill", "-9", Raw("$PPID"))
    with pytest.raises(ConnectionLost, match="during the step 'step'"):
        node.run(script(Command("sleep", "0.5"), cut, Command("sleep", "5")))


def test_a_host_that_is_down_is_named(sshd: openssh.Sshd) -> None:
    sshd.stop()
    with pytest.raises(SpinstackError, match=r"127\.0\.0\.1 can't be reached"):
        FabricLoginNode(destination(sshd)).run(script(Command("true")))


def test_a_program_that_asks_on_the_terminal_is_answered(sshd: openssh.Sshd) -> None:
    ask = 'read -s -p "Password for user x? " p; echo; [ "$p" = "s3 cret" ] && echo fine'
    asked: list[str] = []

    def answer(prompt: str) -> str:
        asked.append(prompt)
        return "s3 cret"

    done = FabricLoginNode(destination(sshd)).converse(Command("bash", "-c", ask), answer)
    assert done.ok
    assert "fine" in done.stdout
    assert asked == ["Password for user x?"]
