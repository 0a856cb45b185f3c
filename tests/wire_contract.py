"""What holds wherever scripts run. Collected by a module of tests that imports them and has a
fixture `connect`, which makes nodes."""

from __future__ import annotations

import base64
import hashlib
import io
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from spinstack.errors import SpinstackError
from spinstack.transport.channel import Stream
from spinstack.transport.channel_node import ChannelNode
from spinstack.transport.command import Command, Raw, Secret
from spinstack.transport.script import Script, Step

Connect = Callable[..., ChannelNode]


def script(*commands: Command, seconds: float = 20) -> Script:
    return Script((Step("step", commands),), seconds=seconds)


def output(node: ChannelNode, *words: str | Raw | Secret, seconds: float = 20) -> str:
    return node.run(script(Command(*words), seconds=seconds)).output("step")


def test_steps_are_told_as_they_happen_and_one_that_fails_ends_the_script(
    connect: Connect,
) -> None:
    told: list[str] = []

    def line(step: str, text: str) -> bool:
        told.append(f"{step}: {text}")
        return False

    steps = (
        Step("may", (Command("echo", "first"), Command("false")), must=False),
        Step("set", (Command(Raw('here="it\'s"')), Command("cd", "/tmp"))),
        Step("seen", (Command("printf", "%s %s", Raw('"$here" "$PWD"')),)),
        Step("must", (Command("ls", "/none"),)),
        Step("never", (Command("true"),)),
    )
    node = connect()
    result = node.run(Script(steps), on_begin=lambda name: told.append(name), on_line=line)
    assert [step.name for step in result.steps] == ["may", "set", "seen", "must"]
    assert result.output("seen") == "it's /tmp"
    assert result.failed and result.failed.name == "must"
    assert result.complete
    assert told[:3] == ["may", "may: first", "may: "]
    assert "/none" in result.output("must"), "standard error belongs to the step"


def test_a_large_payload_arrives_whole(connect: Connect) -> None:
    data = os.urandom(3_000_000)
    bulk = Secret(base64.b64encode(data).decode(), label="<bulk>")
    words = ("printf", "%s", bulk, Raw("|"), "base64", "-d", Raw("|"), "sha256sum")
    assert output(connect(), *words).split()[0] == hashlib.sha256(data).hexdigest()


def test_any_text_arrives_as_it_is(connect: Connect) -> None:
    text = 'it\'s "ünïcode" \\ $HOME `x` !! \n\ttab, and a line\n'
    node = connect()
    assert output(node, "printf", "%s", text) == text
    assert output(node, "printf", "%s", "x" * 200_000) == "x" * 200_000


def test_a_step_that_never_ends_is_ended_and_the_next_script_runs(connect: Connect) -> None:
    node = connect()
    assert output(node, "echo", "before") == "before\n"
    begin = time.monotonic()
    with pytest.raises(SpinstackError, match="'step' did not finish within 1 s"):
        output(node, "sleep", "60", seconds=1)
    assert time.monotonic() - begin < 10
    assert output(node, "echo", "after") == "after\n"


def test_a_step_that_prints_without_end_is_ended_and_the_next_script_runs(
    connect: Connect,
) -> None:
    node = connect()
    with pytest.raises(SpinstackError, match=r"output of the step 'step' on .* does not end"):
        output(node, "yes", seconds=60)
    assert output(node, "echo", "after") == "after\n"


def test_ctrl_c_ends_the_script_and_the_next_one_runs(connect: Connect) -> None:
    node = connect()

    def stop(step: str, text: str) -> bool:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        node.run(script(Command("echo", "x"), Command("sleep", "60")), on_line=stop)
    assert output(node, "echo", "after") == "after\n"


def test_a_script_that_is_left_ends_there_and_the_next_one_runs(
    connect: Connect, tmp_path: Path
) -> None:
    node, gone = connect(), tmp_path / "gone"
    wait = f"while read -r -u 3 _; do :; done; touch {gone}"
    endless = Script((Step("wait", (Command("echo", "here"), Command(Raw(wait)))),), endless=True)
    result = node.run(endless, on_line=lambda step, text: text == "here")
    assert not result.complete
    assert output(node, "echo", "after") == "after\n"
    deadline = time.monotonic() + 10
    while not gone.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert gone.exists(), "a step sees that it was left"


def test_a_program_that_asks_on_the_terminal_is_answered(connect: Connect) -> None:
    ask = 'read -s -p "Password for user x? " p; echo; [ "$p" = "s3 cret!" ] && echo fine; exit 3'
    asked: list[str] = []

    def answer(prompt: str) -> str:
        asked.append(prompt)
        return "s3 cret!"

    node = connect()
    done = node.converse(Command("bash", "-c", ask), answer)
    assert done.code == 3
    assert "fine" in done.stdout
    assert asked[-1] == "Password for user x?"
    assert output(node, "echo", "after") == "after\n"


@pytest.mark.parametrize("size", [0, 3_000_000])
def test_a_command_gives_its_outputs_and_its_exit_code(
    connect: Connect, capfdbinary: pytest.CaptureFixture[bytes], size: int
) -> None:
    data = os.urandom(size)
    count = f"head -c {size}; echo err >&2; printf '\\377\\000\\n'; exit 7"
    node = connect()
    code = node.interact(Command("true"), Command("sh", "-c", count), terminal=False, input=data)
    shown = capfdbinary.readouterr()
    assert code == 7
    assert shown.out == data + b"\xff\x00\n"
    assert shown.err == b"err\n"
    with pytest.raises(SpinstackError, match="could not be started"):
        node.interact(Command("false"), Command("true"), terminal=False)


def test_a_stream_goes_to_a_command_and_comes_from_it_to_its_end(
    connect: Connect, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    data, target = os.urandom(3_000_000), io.BytesIO()
    stream = Stream(source=io.BytesIO(data), target=target)
    count = Command("sh", "-c", "cat; echo err >&2; exit 5")
    code = connect().interact(Command("true"), count, terminal=False, stream=stream)
    assert code == 5
    assert target.getvalue() == data
    shown = capfdbinary.readouterr()
    assert (shown.out, shown.err) == (b"", b"err\n")


class Broken(io.BytesIO):
    """What can't be read any further."""

    def read(self, size: int | None = -1) -> bytes:
        raise OSError(5, "Input/output error")


def test_a_stream_that_breaks_off_ends_its_command(connect: Connect) -> None:
    with pytest.raises(SpinstackError, match="broke off: Input/output error"):
        connect().interact(
            Command("true"), Command("cat"), terminal=False, stream=Stream(source=Broken())
        )
