"""Standard streams of any encoding, closed, full, or read by nobody any more."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.stack_session import baked

PYTHON = f"'{sys.executable}'"
# A task's result, and a list that Invoke itself prints.
RESULT, LIST = f"{PYTHON} -m invoke check", f"{PYTHON} -m invoke --list"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return baked(tmp_path_factory.mktemp("streams"))


def typed(stack: Path, line: str, **more: str) -> subprocess.CompletedProcess[bytes]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME")}
    words = ["bash", "-o", "pipefail", "-c", line]
    return subprocess.run(words, cwd=stack, env={**kept, **more}, capture_output=True)


@pytest.mark.parametrize("encoding", ["latin-1", "ascii"])
@pytest.mark.parametrize("line", [RESULT, LIST, f"{PYTHON} -m invoke --help deploy"])
def test_what_a_terminal_lacks_is_replaced(stack: Path, line: str, encoding: str) -> None:
    usual = typed(stack, line, PYTHONIOENCODING="utf-8")
    done = typed(stack, line, PYTHONIOENCODING=encoding)
    assert (done.returncode, usual.returncode) == (0, 0)
    for sign, other in (("→", "->"), ("…", "..."), ("✓", "+")):
        usual.stdout = usual.stdout.replace(sign.encode(), other.encode())
    assert done.stdout.decode(encoding) == usual.stdout.decode()


def test_a_change_is_made_and_told_and_a_log_goes_on(stack: Path) -> None:
    done = typed(
        stack,
        f"{PYTHON} -m invoke env --set WEB_PORT=60038 --to dev",
        PYTHONIOENCODING="latin-1",
    )
    assert done.returncode == 0, done.stderr
    assert b"60037 -> 60038" in done.stdout + done.stderr
    assert "WEB_PORT=60038" in (stack / "stack.env").read_text()
    program = (
        "from spinstack.tasks import ns\n"
        "from spinstack.console.console import Console\n"
        "for line in ('ok ✓', 'Ā → \\udc80', 'é', 'end'): Console().verbatim(line, 'app | ')\n"
        "Console().json(['Ā'])\n"
    )
    (stack / "program.py").write_text(program)
    done = typed(stack, f"{PYTHON} program.py", PYTHONIOENCODING="latin-1")
    told = b'app | ok +\napp | ? -> ?\napp | \xe9\napp | end\n[\n  "\\u0100"\n]\n'
    assert (done.stdout, done.stderr) == (told, b"")


@pytest.mark.parametrize("line", [RESULT, LIST])
@pytest.mark.parametrize(("to", "why"), [(">&-", "it is closed"), (">/dev/full", "No space left")])
@pytest.mark.parametrize("buffered", ["", "1"])
def test_output_that_cannot_be_written_is_one_error(
    stack: Path, line: str, to: str, why: str, buffered: str
) -> None:
    done = typed(stack, f"{line} {to}", PYTHONUNBUFFERED=buffered)
    assert done.returncode == 1
    assert f"error: can't write to standard output: {why}".encode() in done.stderr
    assert done.stderr.count(b"fix:") == 1
    assert b"Traceback" not in done.stderr
    assert b"ignored" not in done.stderr


@pytest.mark.parametrize("line", [RESULT, LIST])
@pytest.mark.parametrize("less", ["2>&-", "2>/dev/full", "<&-"])
def test_the_other_streams_stop_no_work(stack: Path, line: str, less: str) -> None:
    done = typed(stack, f"{line} {less}")
    assert done.returncode == 0, done.stderr
    assert done.stdout


@pytest.mark.parametrize("line", [LIST, f"{PYTHON} -m invoke check --explain all"])
def test_whoever_has_seen_enough_hears_no_more(stack: Path, line: str) -> None:
    done = typed(stack, f"{line} | head -1", PYTHONUNBUFFERED="1")
    assert len(done.stdout.split(b"\n")) == 2
    assert done.stderr == b""
