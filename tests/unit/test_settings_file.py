"""Settings that Invoke can't read: three lines, from the very program that would trip over it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

OWN = "spinstack:\n  stack: demo\n  destinations:\n    dev: {host: there}\n"
# `spinstack` reads a person's file after it knows of us, `invoke` before.
INVOKE, SPINSTACK = ("-m", "invoke"), ("-c", "from spinstack.program import main; main()")
NO_YAML = "the settings are not valid YAML"


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    (tmp_path / "stack" / "home").mkdir(parents=True)
    (tmp_path / "stack" / "tasks.py").write_text("from spinstack.tasks import ns\n")
    (tmp_path / "stack" / "invoke.yaml").write_text(OWN)
    return tmp_path / "stack"


def typed(stack: Path, program: tuple[str, ...] = INVOKE, **more: str) -> tuple[int, str]:
    words = [sys.executable, *program, "url", "--to", "nowhere"]
    environment = {"PATH": os.environ["PATH"], "HOME": str(stack / "home"), **more}
    done = subprocess.run(words, cwd=stack, env=environment, capture_output=True, text=True)
    assert done.stderr.count("\n") <= 3, done.stderr
    return done.returncode, done.stderr


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"spinstack: [\n", f"{NO_YAML} (line 2)"),
        (b"just text\n", "the settings are not a mapping"),
        (b"- a list\n", "the settings are not a mapping"),
        (b"spinstack:\n  user: \x80\n", f"{NO_YAML} (line 2)"),
        (b"spinstack:\n  user: 2026-13-01\n", f"{NO_YAML}: month must be in 1..12"),
        (b"spinstack: " + b"[" * 5000, f"{NO_YAML} (line 1): exceeded maximum nesting depth"),
        (b"spinstack: 5\n", "the setting spinstack is a single value, but must be a mapping"),
        (b"spinstack: [stack]\n", "the setting spinstack is a single value"),
        (b"spinstack: {2020-01-01: 1}\n", "2020-01-01, which is not text"),
        (b"tasks: 5\n", "the setting tasks is a single value, but must be a mapping"),
        (b"run: [a]\n", "the setting run is a single value, but must be a mapping"),
        (
            b"spinstack:\n  destinations:\n    2024: {host: h}\n",
            "2024, which is not text",
        ),
    ],
)
def test_broken_settings_are_told_without_a_traceback(stack: Path, text: bytes, said: str) -> None:
    (stack / "invoke.yaml").write_bytes(text)
    code, told = typed(stack)
    assert code == 2
    assert said in told
    assert f"where: {stack / 'invoke.yaml'}" in told


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"spinstack:\n\tuser: me\n", f"{NO_YAML} (line 2)"),
        (b"- a list\n", "the settings are not a mapping"),
        (b"spinstack:\n  user: \x80\n", f"{NO_YAML} (line 2)"),
        (b"spinstack: 2026-01-01\n", "the setting spinstack is a single value"),
    ],
)
@pytest.mark.parametrize("name", [".invoke.yaml", ".invoke.yml"])
def test_a_persons_own_are_told_by_their_path(
    stack: Path, text: bytes, said: str, name: str
) -> None:
    (stack / "home" / name).write_bytes(text)
    code, told = typed(stack, SPINSTACK)
    assert code == 2
    assert said in told
    assert f"where: {stack / 'home' / name}" in told
    assert "git" not in told


@pytest.mark.parametrize(
    ("line", "said", "remedy"),
    [
        ("  port: 22:00", "a number, not 22:00, which YAML reads as the number 1320", "decimal"),
        ("  environment: 12:30", "must be text, not 12:30, which YAML reads as the number 750", ""),
        ("  user: 0123", "must be text, not 0123, which YAML reads as the number 83", ""),
        ("  user: 2026-11-29", "must be text, not 2026-11-29\n", ""),
        ("  user: yes", "must be text, not yes, which YAML reads as true", ""),
        ("  user: 7", "must be text, not 7\n", ""),
        ("  modules: [a, 1.50]", "must be text, not 1.50, which YAML reads as the number 1.5", ""),
        ("  env: {OPEN: 12:30}", "OPEN must be text, not 12:30, which YAML", "OPEN: '12:30'"),
        ("  checkouts: {C: {url: x, ref: 2026-11-29}}", "ref must be text, not 2026-11-29", ""),
        ("  kubernetes: {namespace: 2026-11-29}", "namespace must be text, not 2026-11-29", ""),
        ("  destinations: {<<: {d: {host: 1_0}}}", "host must be text, not 1_0, which", ""),
    ],
)  # fmt: skip
def test_a_setting_that_yaml_changes_is_told_as_it_stands_in_the_file(
    stack: Path, line: str, said: str, remedy: str
) -> None:
    file = stack / "home" / ".invoke.yaml"
    file.write_text(f"spinstack:\n{line}\n")
    code, told = typed(stack)
    assert code == 2
    assert said in told
    assert f"where: {file}:2 (spinstack." in told
    assert (remedy or "fix:   quote it: ") in told


def test_an_item_of_a_list_is_quoted_as_an_item(stack: Path) -> None:
    (stack / "home" / ".invoke.yaml").write_text("spinstack:\n  modules: [a, 1.50]\n")
    assert "  fix:   quote it: '1.50'" in typed(stack)[1]


def test_what_others_keep_in_the_same_file_is_not_looked_at(stack: Path) -> None:
    (stack / "home" / ".invoke.yaml").write_text("user: 0123\nmine: {port: 022}\n")
    assert "no destination 'nowhere'" in typed(stack)[1]


@pytest.mark.parametrize(
    "text",
    ["user: 1e3", "env: {A: 5, B: true, C: '12:30'}", "port: 22", "kubernetes: {uid: 41037}"],
)
def test_what_yaml_leaves_as_it_is_has_no_error(stack: Path, text: str) -> None:
    (stack / "home" / ".invoke.yaml").write_text(f"spinstack:\n  {text}\n")
    assert "no destination 'nowhere'" in typed(stack)[1]


@pytest.mark.parametrize(
    ("text", "said"),
    [("spinstack: [\n", f"{NO_YAML} (line 2)"), ("- a\n", "the settings are not a mapping")],
)
def test_what_invoke_reads_first_is_told_by_the_other_program(
    stack: Path, text: str, said: str
) -> None:
    """As the README says of a traceback of Invoke's own."""
    (stack / "home" / ".invoke.yaml").write_text(text)
    environment = {"PATH": os.environ["PATH"], "HOME": str(stack / "home")}
    told = []
    for program in (INVOKE, SPINSTACK):
        words = [sys.executable, *program, "env"]
        done = subprocess.run(words, cwd=stack, env=environment, capture_output=True, text=True)
        told.append((done.returncode, "Traceback" in done.stderr, said in done.stderr))
    assert told == [(1, True, False), (2, False, True)]


def test_those_that_are_named_are_told_too(stack: Path) -> None:
    (stack / "more.yaml").write_text("spinstack: [\n")
    code, told = typed(stack, INVOKE, INVOKE_RUNTIME_CONFIG=str(stack / "more.yaml"))
    assert code == 2
    assert f"where: {stack / 'more.yaml'}" in told


@pytest.mark.parametrize("program", [INVOKE, SPINSTACK])
@pytest.mark.parametrize("text", ["spinstack:\n#  user: me\n", "spinstack:\n  destinations:\n", ""])
def test_a_section_in_which_nothing_is_left_changes_nothing(
    stack: Path, text: str, program: tuple[str, ...]
) -> None:
    without = typed(stack, program)
    assert without[0] == 2
    assert "no destination 'nowhere'" in without[1]
    (stack / "home" / ".invoke.yaml").write_text(text)
    assert typed(stack, program) == without


def test_nothing_but_an_empty_section_is_no_stack(stack: Path) -> None:
    (stack / "invoke.yaml").write_text("spinstack:\n")
    code, told = typed(stack)
    assert code == 2
    assert "this is not a stack's directory" in told
