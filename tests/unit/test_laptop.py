"""This machine as the place where scripts run: the contract of every wire, and its own."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from spinstack.config import settings
from spinstack.errors import SpinstackError, UsageError
from spinstack.platforms.kubernetes.cluster import pods
from spinstack.transport import connect as transport_connect
from spinstack.transport.channel import Channel, Pty
from spinstack.transport.channel_node import ChannelNode
from spinstack.transport.command import Command, Raw, program
from spinstack.transport.laptop.channel import LaptopChannel
from spinstack.transport.login_node import ConnectionLost
from tests.wire_contract import *  # noqa: F403 - tests are collected by being imported
from tests.wire_contract import Connect, output, script

# Another bash, such as one of version 3.2, can be put to the test by its path.
BASH = os.environ.get("SPINSTACK_TEST_BASH", "bash")


def destination() -> settings.Destination:
    kubernetes = {"context": "here", "namespace": "mine"}
    own = {"platform": "kubernetes", "profile": "generic", "kubernetes": kubernetes}
    raw = {"stack": "x", "destinations": {"there": own}}
    return settings.load({"spinstack": raw}, Path("/")).destination("there")


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch) -> Iterator[Connect]:
    if BASH != "bash":
        monkeypatch.setattr("spinstack.transport.laptop.node._program", lambda: BASH)
    made: list[ChannelNode] = []

    def node() -> ChannelNode:
        found = transport_connect.login_node(destination())
        assert isinstance(found, ChannelNode)
        made.append(found)
        return found

    yield node
    for found in made:
        found.close()


def test_script_after_script_in_one_shell_without_start_up_files(
    connect: Connect, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "rc").write_text("FROM_START=yes; set -u\n")
    monkeypatch.setenv("BASH_ENV", str(tmp_path / "rc"))
    monkeypatch.setenv("OWN", "kept")
    node = connect()
    shell = output(node, "echo", Raw("$$"))
    with pytest.raises(SpinstackError, match="was ended in the step 'step'"):
        node.run(script(Command(Raw("leak=1")), Command("exec", "true")))
    assert output(node, "echo", Raw('"$leak$FROM_START$OWN"')) == "kept\n"
    assert output(node, "echo", Raw("$$")) == shell
    assert output(node, "cat") == "", "no script is another one's input"


def test_a_shell_that_is_killed_is_told_and_the_next_script_gets_another(
    connect: Connect,
) -> None:
    node = connect()
    with pytest.raises(ConnectionLost, match="bash on this machine ended during the step 'step'"):
        output(node, "kill", "-9", "0")
    assert output(node, "echo", "again") == "again\n"


def test_nothing_goes_on_after_a_script_was_given_up(connect: Connect, tmp_path: Path) -> None:
    node, beat = connect(), tmp_path / "beat"
    stubborn = f"trap '' TERM; while :; do echo >> {beat}; sleep 0.05; done"
    with pytest.raises(SpinstackError, match="did not finish within 1 s"):
        output(node, "bash", "-c", f"({stubborn}) & {stubborn}", seconds=1)
    size = beat.stat().st_size
    time.sleep(0.3)
    assert beat.stat().st_size == size


def read_until(channel: Channel, wanted: bytes) -> bytes:
    said, until = b"", time.monotonic() + 20
    while wanted not in said and time.monotonic() < until:
        said += channel.read(0.2) or b""
    assert wanted in said, said
    return said


@pytest.fixture
def terminal() -> Iterator[LaptopChannel]:
    import shutil

    work = "trap 'exit 7' INT; trap 'stty size' WINCH; stty size; echo $TERM; "
    work += "while :; do sleep 0.1; done"
    channel = LaptopChannel(shutil.which(BASH) or BASH, work, Pty("vt100", 111, 33))
    yield channel
    channel.close()


def test_a_terminal_has_our_size_and_our_keys_as_over_ssh(terminal: LaptopChannel) -> None:
    assert b"33 111" in read_until(terminal, b"vt100")
    terminal.resize(90, 20)
    read_until(terminal, b"20 90")
    terminal.write(b"\x03")
    assert terminal.exit_code(20) == 7


def test_a_terminal_that_is_closed_ends_what_runs_there(terminal: LaptopChannel) -> None:
    read_until(terminal, b"vt100")
    terminal.close()
    assert terminal.exit_code() == 128 + 1, "SIGHUP, as when a window is closed"


def test_what_a_signal_ends_has_the_exit_code_of_a_shell(connect: Connect) -> None:
    code = connect().interact(Command("true"), Command("sh", "-c", "kill -TERM $$"), terminal=False)
    assert code == 128 + 15


def test_without_bash_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    node = transport_connect.login_node(destination())
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(UsageError, match="needs bash on this machine"):
        node.open()


def test_what_limits_a_command_does_not_outlive_it(connect: Connect) -> None:
    limited = program(Path(pods.__file__).with_name("limited.sh"))
    assert output(connect(), Raw(f"{limited}\nlimited"), "771", "echo", "done") == "done\n"
    listed = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True).stdout
    assert "sleep 771" not in listed.splitlines()
