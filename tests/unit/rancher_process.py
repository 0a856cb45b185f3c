"""Runs the installed client as a program, without a terminal or with one."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import termios
import time
from pathlib import Path


def surroundings(home: Path, **more: str) -> dict[str, str]:
    return {"HOME": str(home), "PATH": os.environ["PATH"], "USER": "demo", **more}


def run(
    program: Path, *words: str, home: Path, input: str = "", **more: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [program, *words],
        input=input,
        capture_output=True,
        text=True,
        env=surroundings(home, **more),
        cwd=home,
        timeout=30,
    )


def on_terminal(
    home: Path, *command: str | Path, typed: bytes = b"", until: bytes = b"", raw: bool = False
) -> tuple[int, bytes]:
    """Run it with a terminal for everything, typing when `until` has been shown and, with
    `raw`, the terminal passes every key on."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        command, stdin=theirs, stdout=theirs, stderr=theirs, env=surroundings(home), close_fds=True,
        start_new_session=True,
    )  # fmt: skip
    os.close(theirs)
    shown = b""
    limit = time.monotonic() + 20
    while time.monotonic() < limit:
        is_raw = not termios.tcgetattr(ours)[3] & termios.ICANON
        if typed and until in shown and is_raw >= raw:
            os.write(ours, typed)
            typed = b""
        if not select.select([ours], [], [], 0.2)[0]:
            continue
        try:
            part = os.read(ours, 4096)
        except OSError:  # the other side has closed
            break
        if not part:
            break
        shown += part
    os.close(ours)
    return process.wait(timeout=10), shown
