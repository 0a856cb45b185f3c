"""The seam for programs of this machine: real, printing, recording."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from spinstack.command import Command, Raw, Secret
from spinstack.errors import SpinstackError
from spinstack.runner import LocalRunner, PrintingRunner, RecordingRunner


def test_a_program_that_hangs_is_ended_and_named(tmp_path: Path) -> None:
    command = Command(sys.executable, "-c", "import time; print('x', flush=True); time.sleep(60)")
    for on_line in (None, lambda line: None):
        begin = time.monotonic()
        with pytest.raises(SpinstackError, match="did not finish within"):
            LocalRunner().run(command, timeout=0.5, on_line=on_line)
        assert time.monotonic() - begin < 20


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
    with pytest.raises(AssertionError, match="not announced: rm -r /"):
        RecordingRunner({"ls": []}).run(Command("rm", "-r", "/"))


def test_shell_syntax_never_reaches_a_program_without_a_shell() -> None:
    with pytest.raises(ValueError, match="shell syntax"):
        LocalRunner().run(Command("echo", Raw("; rm -r /")))
