"""Steps while they run: live lines on a terminal, signs of life elsewhere."""

from __future__ import annotations

import os
import re
import sys
import threading
import time
from pathlib import Path

import pytest

from spinstack.console import progress
from spinstack.console.console import Console
from tests.real.at_terminal import AtTerminal

COLUMNS = 60

# Two steps at once, one with a bar; then a question, during which one of them ends.
PROGRAM = """
import threading, time
from pathlib import Path
from spinstack.console import live_lines
from spinstack.console.console import Console

live_lines.BAR_AFTER = 0.3
console = Console()
asked, told = threading.Event(), threading.Event()

def push():
    with console.step("push app") as step:
        step.bytes(57e6, 114e6)
        step.detail("layer 1 of 2, whose name goes on and on and on and on and on and on")
        asked.wait(20)
        step.done("app:c-1")
    console.note("pushed")
    told.set()

thread = threading.Thread(target=push)
thread.start()
with console.step("log in") as step:
    while not Path("seen").exists():
        time.sleep(0.01)
    with console.paused():
        asked.set()
        told.wait(20)
        time.sleep(0.3)  # three times as long as between two looks
        answer = input("Password: ")
    step.done("uid 41037")
thread.join()
console.result("http://site/ " + answer)
"""


def terminal(at: Path, **variables: str) -> AtTerminal:
    """The program, which asks once there is a file `seen`."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME")}
    environment = {**kept, "TERM": "xterm-256color", "LANG": "C.UTF-8", **variables}
    words = (sys.executable, "-c", PROGRAM)
    return AtTerminal(words, environment, at, columns=COLUMNS)


def lines(shown: str) -> list[str]:
    """Every line as it was at some time, without colours and movements."""
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "\n", re.sub(r"\x1b\[[0-9;]*m", "", shown))
    return [line.rstrip() for line in re.split(r"[\r\n]+", plain) if line.strip()]


def test_steps_run_live_and_stand_aside_for_a_question(tmp_path: Path) -> None:
    with_person = terminal(tmp_path)
    with_person.wait_for("57.0/114.0 MB 50%")
    (tmp_path / "seen").touch()
    with_person.wait_for("Password: ")
    # The step ended before the question, and is told after the answer.
    assert "✓" not in with_person.shown
    assert "pushed" not in with_person.shown
    with_person.type("word\r", "✓")
    assert with_person.code() == 0
    shown = lines(with_person.shown)
    live = [line for line in shown if line[0] in "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"]
    assert any(re.search(r"push app +\d+ s +━{5}─{5} 57\.0/114\.0 MB 50%", line) for line in live)
    assert any(re.search(r"log in +\d+ s$", line) for line in live)
    assert max(len(line) for line in live) <= COLUMNS, "a line that wraps can't be taken away"
    ended = shown[shown.index("Password: word") + 1 :]
    ended = [line for line in ended if line not in live]
    assert [re.sub(r" \d\.\d s$", "", line) for line in ended] == [
        *("✓ push app           app:c-1", "pushed", "✓ log in             uid 41037"),
        "http://site/ word",
    ]
    assert with_person.shown.rfind("\x1b[?25h") > with_person.shown.rfind("\x1b[?25l")


def test_a_dumb_terminal_gets_plain_lines(tmp_path: Path) -> None:
    (tmp_path / "seen").touch()
    with_person = terminal(tmp_path, TERM="dumb")
    with_person.wait_for("Password: ")
    with_person.type("word\r", "http://site/ word")
    assert with_person.code() == 0
    assert "\x1b" not in with_person.shown
    assert "⠋" not in with_person.shown


def test_no_color_leaves_the_lines_and_takes_the_colours(tmp_path: Path) -> None:
    with_person = terminal(tmp_path, NO_COLOR="1")
    with_person.wait_for("57.0/114.0 MB 50%")
    (tmp_path / "seen").touch()
    with_person.wait_for("Password: ")
    with_person.type("word\r", "http://site/ word")
    assert with_person.code() == 0
    assert not re.search(r"\x1b\[[0-9;]*3[0-7]m", with_person.shown)


@pytest.mark.parametrize("forced", [False, True])
def test_a_log_gets_a_line_a_step_and_signs_of_life(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, forced: bool
) -> None:
    """Colours that are asked for make no terminal of it."""
    monkeypatch.setattr(progress, "FIRST_SIGN", 0.1)
    if forced:
        monkeypatch.setenv("FORCE_COLOR", "1")
    console = Console()
    with console.step("build app") as step:
        step.parts(3, 9, "step 4/9")
        step.detail("RUN pip install")
        until = time.monotonic() + 20
        # After 0.1 and 0.2 seconds, then after 0.4.
        while step.next_sign < 0.4 and time.monotonic() < until:
            time.sleep(0.02)
        step.done("app:c-1")
    err = re.sub(r"\x1b\[[0-9;]*m", "", capfd.readouterr().err)
    signs, end = err.splitlines()[:-1], err.splitlines()[-1]
    assert len(signs) >= 2
    assert re.fullmatch(r"… build app          step 4/9 RUN pip install \d s", signs[0])
    assert re.fullmatch(r"✓ build app          app:c-1 \d\.\d s", end)


def test_a_step_that_does_not_last_is_told_when_it_fails(
    capfd: pytest.CaptureFixture[str],
) -> None:
    console = Console()
    with console.step("look", lasting=False):
        pass
    assert capfd.readouterr().err == ""
    with pytest.raises(ValueError, match="x"), console.step("look", lasting=False):
        raise ValueError("x")
    with pytest.raises(KeyboardInterrupt), console.step("look"):
        raise KeyboardInterrupt
    failed, stopped = capfd.readouterr().err.splitlines()
    assert failed.startswith("✗ look")
    assert stopped.startswith("✗ look               stopped ")


def test_steps_of_many_threads_are_all_told(capfd: pytest.CaptureFixture[str]) -> None:
    console = Console()

    def work(number: int) -> None:
        for _ in range(20):
            with console.step(f"step {number}") as step:
                step.detail("x")

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    told = capfd.readouterr().err.splitlines()
    assert len(told) == 160
    assert all(re.fullmatch(r"✓ step \d .* \d\.\d s", line) for line in told)
