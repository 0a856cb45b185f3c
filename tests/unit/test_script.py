"""Scripts for the login node: what bash makes of them, and what we read back."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spinstack.transport.command import Command, Raw, Secret
from spinstack.transport.script import (
    Script,
    ScriptResult,
    Step,
    Transcript,
    json_object,
    json_objects,
)

MARK = "mark-4711"


def run(script: Script, before: str = "", cut: int = 7) -> ScriptResult:
    """Through a real bash, as the login node does it, output read in small pieces."""
    done = subprocess.run(
        ["bash"], input=before + script.text(MARK), capture_output=True, text=True, timeout=20
    )
    transcript = Transcript(script, MARK)
    for start in range(0, len(done.stdout), cut):
        transcript.feed(done.stdout[start : start + cut])
    return transcript.result


def test_output_of_each_step_is_its_own_whatever_the_login_shell_printed() -> None:
    script = Script(
        (
            Step("first", (Command("printf", "no newline"),)),
            Step("second", (Command("export", "A=b c"), Command("true"))),
            Step("third", (Command("printf", "%s\n", Raw('"$A"')), Command("ls", "/none"))),
        )
    )
    result = run(script, before="echo welcome to the login node\n")
    assert result.output("first") == "no newline"
    assert result.output("third").startswith("b c\n")
    assert "/none" in result.output("third"), "standard error belongs to the step"
    assert result.complete
    assert result.failed and result.failed.name == "third"


def test_a_failing_step_ends_the_script_unless_it_may_fail() -> None:
    steps = (
        Step("may", (Command("false"), Command("echo", "never")), must=False),
        Step("must", (Command("false"),)),
        Step("after", (Command("echo", "never"),)),
    )
    result = run(Script(steps))
    assert [step.name for step in result.steps] == ["may", "must"]
    assert result.output("may") == ""
    assert result.complete


def test_a_step_goes_on_beside_others_and_tells_what_it_printed_in_its_turn(tmp_path: Path) -> None:
    begun, seen = tmp_path / "begun", tmp_path / "seen"
    wait = 'for _ in {1..99}; do [ ! -e "$file" ] || break; sleep 0.05; done; [ -e "$file" ]'
    lines = f"touch {begun}; case x in x) file={seen}; {wait} && echo told; ls /none ;; esac"
    slow = Step("slow", (Command(Raw(lines)),), must=False, beside=True)
    silent = Step("silent", (Command("true"),), beside=True)
    other = Step("other", (Command(Raw(f"file={begun}; {wait} && touch {seen}")),))
    result = run(Script((slow, silent, other, Step("last", (Command("echo", "x"),)))))
    assert [step.name for step in result.steps] == ["other", "slow", "silent", "last"]
    assert result["other"].ok and result["silent"].ok
    assert result.output("slow").startswith("told\n")
    assert "/none" in result.output("slow"), "standard error belongs to the step"
    assert result["slow"].code not in (0, None), "of ls"


def test_a_step_beside_nothing_runs_alone() -> None:
    result = run(Script((Step("first", (Command("echo", "x"),), beside=True),)))
    assert result.complete and result.output("first") == "x\n"


def test_a_step_beside_others_that_fails_ends_the_script_if_it_must_not() -> None:
    steps = (Step("bad", (Command("false"),), beside=True), Step("other", (Command("true"),)))
    result = run(Script((*steps, Step("never", (Command("true"),)))))
    assert [(step.name, step.code) for step in result.steps] == [("other", 0), ("bad", 1)]
    assert result.failed is result["bad"]


def test_a_program_that_reads_its_input_gets_none_of_the_script() -> None:
    result = run(Script((Step("cat", (Command("cat"),)), Step("next", (Command("echo", "x"),)))))
    assert result.output("cat") == ""
    assert result.output("next") == "x\n"


def test_an_end_in_the_middle_is_told_from_an_end() -> None:
    script = Script((Step("a", (Command("true"),)), Step("b", (Command("true"),))))
    transcript = Transcript(script, MARK)
    transcript.feed(f"\n{MARK} begin 0\n\n{MARK} end 0 0\n\n{MARK} begin 1\nsome")
    assert not transcript.result.complete
    assert transcript.unfinished == "b"


@settings(deadline=None, max_examples=60)
@given(st.lists(st.text(st.characters(exclude_characters="\0", codec="utf-8")), min_size=1))
def test_words_arrive_as_they_are(words: list[str]) -> None:
    command = Command("printf", "%s\\0", *words)
    done = subprocess.run(["bash"], input=command.script().encode(), capture_output=True)
    assert done.stdout.decode().split("\0")[:-1] == words


@given(st.text(min_size=1), st.text(min_size=6))
def test_a_secret_is_never_shown(word: str, secret: str) -> None:
    command = Command("login", word, Secret("s3cr3t:" + secret))
    assert "s3cr3t:" not in command.shown()
    assert "s3cr3t:" not in repr(command)
    assert command.argv()[-1] == "s3cr3t:" + secret


def test_mere_bulk_is_shown_by_its_label() -> None:
    command = Command("printf", "%s", Secret("A" * 10_000, label="<10 kB>"))
    assert command.shown() == "printf %s <10 kB>"


LOG = 'time="2026-01-01T00:00:00Z" level=warning msg="slow"'


@pytest.mark.parametrize(
    ("output", "found"),
    [
        ("", []),
        ("error web: not found", []),
        (f'{LOG}\n{{"a": 1}}\n{LOG}\n{{"b": 2}}\n', [{"a": 1}, {"b": 2}]),
        ('{"a": 1}\r\n{}\r\n', [{"a": 1}, {}]),
        (json.dumps({"a": {"b": [{"c": 1}]}}, indent=2) + "\n", [{"a": {"b": [{"c": 1}]}}]),
        ('{"a": 1\n{"b": 2}', [{"b": 2}]),
        ('{"a": "cut o', []),
        ('{"a": 1} and more\n', []),
        ('[{"a": 1}]\n7\n"text"\nnull\n', []),
        ('say {"a": 1}\n', []),
        ('{"a": "\u2028\x85"}', [{"a": "\u2028\x85"}]),
        ('{"a":' * 100_000, []),
    ],
)
def test_the_objects_of_an_output_are_read_and_all_else_passed_over(
    output: str, found: list[object]
) -> None:
    assert list(json_objects(output)) == found
    assert json_object(output) == (found[0] if found else None)


@given(st.one_of(st.text(), st.text(st.sampled_from('{}[]":,\n\r \\u0a1e-'))))
def test_no_output_is_too_odd_to_look_for_objects_in_it(output: str) -> None:
    assert all(type(found) is dict for found in json_objects(output))


VALUES = st.none() | st.integers() | st.text()
OBJECTS = st.dictionaries(st.text(), VALUES | st.lists(st.dictionaries(st.text(), VALUES)))


@given(st.lists(OBJECTS, max_size=3), st.sampled_from([None, 2]), st.booleans())
def test_objects_are_read_as_they_were_printed(
    printed: list[dict[str, object]], indent: int | None, ascii_only: bool
) -> None:
    lines = [json.dumps(one, indent=indent, ensure_ascii=ascii_only) for one in printed]
    assert list(json_objects(f"\n{LOG}\n".join(["", *lines, ""]))) == printed
