"""The seam for programs of this machine: real, printing, recording."""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from spinstack.errors import SpinstackError, Stopped
from spinstack.transport import processes
from spinstack.transport.command import Command, Raw, Secret
from spinstack.transport.runner import LocalRunner, PrintingRunner, RecordingRunner


def test_a_program_that_hangs_is_ended_and_named(tmp_path: Path) -> None:
    command = Command(sys.executable, "-c", "import time; print('x', flush=True); time.sleep(60)")
    for on_line in (None, lambda line: None):
        begin = time.monotonic()
        with pytest.raises(SpinstackError, match="did not finish within"):
            LocalRunner().run(command, timeout=0.1, on_line=on_line)
        assert time.monotonic() - begin < 50, "it was not waited for"


def test_a_missing_program_is_one_sentence() -> None:
    with pytest.raises(SpinstackError, match="nosuchprogram is not installed"):
        LocalRunner().run(Command("nosuchprogram", "x"))


def test_input_output_and_exit_code() -> None:
    lines: list[str] = []
    command = Command(sys.executable, "-c", "import sys; print(input()); sys.exit(3)")
    result = LocalRunner().run(command, input="hallo\n", on_line=lines.append)
    assert (lines, result.code) == (["hallo"], 3)


def test_the_printing_runner_shows_what_the_real_one_would_run() -> None:
    shown: list[str] = []
    PrintingRunner(shown.append).run(Command("touch", "/none/a b", Secret("pw")))
    assert shown == ["$ touch '/none/a b' ********"]


def test_the_recording_runner_refuses_what_was_not_announced() -> None:
    with pytest.raises(AssertionError, match="not expected: rm -r /"):
        RecordingRunner({"ls": []}).run(Command("rm", "-r", "/"))


def test_shell_syntax_never_reaches_a_program_without_a_shell() -> None:
    with pytest.raises(ValueError, match="shell syntax"):
        LocalRunner().run(Command("echo", Raw("; rm -r /")))


@pytest.mark.parametrize("way", ["collected", "streamed", "on a terminal"])
def test_what_is_stopped_ends_and_what_is_apart_goes_on(way: str, tmp_path: Path) -> None:
    here = LocalRunner()
    there = here.apart()
    begun = tmp_path / "begun"

    def stop() -> None:
        until = time.monotonic() + 20
        while not begun.exists() and time.monotonic() < until:
            time.sleep(0.01)
        there.stop()

    stopping = threading.Thread(target=stop)
    stopping.start()
    code = f"import time; print('begun', flush=True); open({str(begun)!r}, 'w'); time.sleep(60)"
    options: dict[str, Any] = {"on_line": lambda line: None, "terminal": way == "on a terminal"}
    with pytest.raises(Stopped):
        there.run(Command(sys.executable, "-c", code), **({} if way == "collected" else options))
    assert begun.exists()
    stopping.join(20)
    with pytest.raises(Stopped, match="not started"):
        there.run(Command(sys.executable, "-c", "pass"))
    assert here.run(Command(sys.executable, "-c", "pass")).ok


def test_a_program_that_does_not_listen_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "GRACE", 0.1)
    runner = LocalRunner().apart()
    code = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        "print('deaf', flush=True); time.sleep(60)"
    )
    with pytest.raises(Stopped):
        runner.run(
            Command(sys.executable, "-c", code),
            on_line=lambda line: threading.Thread(target=runner.stop).start(),
        )


def test_a_program_on_a_terminal_shows_how_far_it_is() -> None:
    """Lines that are written over come one by one, without what moves the cursor."""
    lines: list[str] = []
    code = (
        "import sys; assert sys.stdout.isatty() and not sys.stdin.isatty();"
        r"print('\x1b[1mone\x1b[0m');"
        r"sys.stdout.write('1 %\r2 %\x1b[1A\x1b[2Kü\x1b[1B'); sys.exit(3)"
    )
    result = LocalRunner().run(
        Command(sys.executable, "-c", code), on_line=lines.append, terminal=True
    )
    assert (lines, result.code) == (["one", "1 %", "2 %", "ü"], 3)
