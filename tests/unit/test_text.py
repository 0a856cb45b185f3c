"""Text from elsewhere: how it is split, and what of it reaches a terminal."""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spinstack import text
from spinstack.transport.relay import Foreign
from tests.real.at_terminal import AtTerminal

# Every method of the console that shows something, given what the argument holds.
PROGRAM = """
import sys
from spinstack.console.console import Console
from spinstack.errors import SpinstackError

foreign = sys.argv[1]
console = Console()
with console.step(foreign) as step:
    step.detail(foreign)
    step.parts(1, 2, foreign)
    print(step.sign())
    step.done(foreign)
console.note(foreign)
console.warn(foreign)
console.error(SpinstackError(foreign, where=foreign, remedy=foreign, details=foreign))
console.result(foreign)
console.page(foreign)
console.marked(foreign, "red", foreign)
console.verbatim(foreign, foreign, "red")
console.json({foreign: [foreign]})
console.table([foreign], [[foreign]])
"""
# A title, a cleared screen, colours, a C1 sequence, text turned around, a forged line.
FOREIGN = "\x1b]0;T\x07\x1b[2J\x1b[31mred\x1b[0m\x9b2J\x7f\x08\r\u202e\u2066error: not ours"


@pytest.mark.parametrize("terminal", ["xterm-256color", "dumb"])
def test_nothing_of_others_moves_the_terminal(tmp_path: Path, terminal: str) -> None:
    kept = {name: os.environ[name] for name in ("PATH", "HOME")}
    environment = {**kept, "TERM": terminal, "LANG": "C.UTF-8"}
    typed = AtTerminal((sys.executable, "-c", PROGRAM, FOREIGN), environment, tmp_path)
    assert typed.code() == 0, typed.shown
    # The terminal itself makes a carriage return of each newline.
    shown = typed.shown.replace("\r\n", "\n")
    ours = r"\x1b\[[0-9;]*m|\x1b\[H\x1b\[2J\x1b\[3J" if terminal != "dumb" else "$^"
    assert not re.search(f"[{text.HARMFUL}]", re.sub(ours, "", shown)), shown
    assert shown.count("^[]0;T^G^[[2Jred^[[2J^?^H^M<U+202E><U+2066>error: not ours") > 10
    # Only on a terminal that can, and only once: the console's own.
    assert shown.count("\x1b[2J") == (terminal != "dumb")


def test_a_script_gets_the_very_value(capsys: pytest.CaptureFixture[str]) -> None:
    from spinstack.console.console import Console

    Console().json({"text": FOREIGN + "é\udc80"})
    told = capsys.readouterr().out
    assert json.loads(told) == {"text": FOREIGN + "é\udc80"}
    assert "é" in told


def test_a_log_goes_unchanged_into_a_file(capsys: pytest.CaptureFixture[str]) -> None:
    from spinstack.console.console import Console

    Console().verbatim(FOREIGN, "app | ", "red")
    assert capsys.readouterr().out == f"app | {FOREIGN}\n"


@given(st.text())
def test_what_is_shown_is_harmless_and_stays_so(anything: str) -> None:
    shown = text.harmless(anything)
    assert not re.search(f"[{text.HARMFUL}]", shown)
    assert text.harmless(shown) == shown


@given(st.lists(st.text(st.characters(exclude_characters="\n\r"))), st.sampled_from(["\n", "\r\n"]))
def test_only_a_line_feed_ends_a_line(whole: list[str], end: str) -> None:
    joined = "".join(line + end for line in whole)
    assert text.split_lines(joined) == whole
    assert "".join(text.split_lines(joined, ends=True)) == joined
    assert text.split_lines(joined + "x") == [*whole, "x"]


# A command without a terminal of its own, whose output goes to ours.
PLAIN = """
import sys
from spinstack.transport.relay import Relay

class Channel:
    alive = True
    said = [b"\\nmark\\n" + sys.argv[1].encode() + b"\\n", b""]
    def filenos(self): return []
    def read(self, seconds): return self.said.pop(0) if self.said else b""
    def read_error(self): return b""
    def exit_code(self, seconds=0): return 0

sys.exit(Relay(Channel(), b"mark").plain())
"""


@given(st.lists(st.text(st.sampled_from("a\r\n\x1b[31mé;"))), st.integers(1, 5))
def test_what_comes_in_pieces_is_shown_as_what_comes_whole(parts: list[str], size: int) -> None:
    data = "".join(parts).encode()
    pieces, foreign = [data[at : at + size] for at in range(0, len(data), size)], Foreign()
    shown = b"".join(foreign.harmless(piece, last=False) for piece in pieces)
    shown += foreign.harmless(b"", last=True)
    assert shown.decode() == text.harmless(data.decode())


def test_a_command_that_is_not_interactive_moves_no_terminal(tmp_path: Path) -> None:
    kept = {name: os.environ[name] for name in ("PATH", "HOME")}
    typed = AtTerminal(
        (sys.executable, "-c", PLAIN, FOREIGN), {**kept, "LANG": "C.UTF-8"}, tmp_path
    )
    assert typed.code() == 0, typed.shown
    assert "^[]0;T^G^[[2Jred" in typed.shown
    assert "\x1b" not in typed.shown
