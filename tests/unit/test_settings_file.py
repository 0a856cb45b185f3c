"""A broken invoke.yaml: three lines, from the very program that would trip over it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"spinstack: [\n", "the settings are not valid YAML (line 2)"),
        (b"just text\n", "the settings are not a mapping"),
        (b"spinstack: \x80\n", "the settings are not valid YAML"),
        (b"spinstack: {user: 2020-99-99}\n", "the settings are not valid YAML"),
        (b"spinstack: 5\n", "spinstack: is not a mapping"),
        (b"spinstack: [stack]\n", "spinstack: is not a mapping"),
        (b"spinstack: {stack: s, user: {a: b}}\n", "the setting user must be text"),
        (b"spinstack: {2020-01-01: 1}\n", "the key 2020-01-01 is not text"),
        (b"spinstack: {destinations: {on: {user: a}}}\n", "the key True is not text"),
        (b"tasks: 5\n", "Invoke can't use the settings below tasks"),
    ],
)
def test_broken_settings_are_told_without_a_traceback(
    tmp_path: Path, text: bytes, said: str
) -> None:
    (tmp_path / "invoke.yaml").write_bytes(text)
    (tmp_path / "tasks.py").write_text("from spinstack.tasks import ns\n")
    words = [sys.executable, "-m", "invoke", "check"]
    typed = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True)
    assert typed.returncode == 2
    assert said in typed.stderr
    assert str(tmp_path / "invoke.yaml") in typed.stderr
    assert "Traceback" not in typed.stderr
