"""`--help` shows the help of a task wherever it is typed; what is no number is said so."""

from __future__ import annotations

import pytest
from invoke.parser import Parser
from invoke.program import Program

from spinstack.tasks import ns


def test_help_is_never_taken_for_a_value() -> None:
    program = Program(namespace=ns)
    program.create_config()
    for context in ns.to_contexts():
        parser = Parser(contexts=[context], initial=program.initial_context)
        # After the task, and after each of its options that takes a value.
        flags = [[flag] for flag, own in context.flags.items() if own.takes_value]
        for words in ([], *flags):
            parsed = parser.parse_argv([context.name, *words, "--help"])
            assert parsed[0].args["help"].value == context.name


@pytest.mark.parametrize("words", ["secret.create -h", "exec --service --help"])
def test_it_is_shown(capsys: pytest.CaptureFixture[str], words: str) -> None:
    Program(namespace=ns).run(f"invoke {words}", exit=False)
    assert f" {words.split()[0]} " in capsys.readouterr().out.split("\n")[0]


@pytest.mark.parametrize("value", ["abc", "²", "1" * 5000])
def test_what_is_no_number_is_an_error_and_no_traceback(
    capsys: pytest.CaptureFixture[str], value: str
) -> None:
    with pytest.raises(SystemExit) as end:
        Program(namespace=ns).run(["invoke", "history", "--limit", value])
    assert end.value.code == 2
    assert capsys.readouterr().err == f"error: --limit needs a number, not {value[:40]!r}\n"


@pytest.mark.parametrize(
    ("words", "near"),
    [
        (["deplyo"], "deploy"),
        (["deploy", "--tp", "dev"], "--to"),
        (["status", "--wach"], "--watch"),
        (["status", "lgos"], "logs"),
        (["--dyr", "deploy"], "--dry"),
        (["--help", "secret.creat"], "secret.create"),
        (["rehearsal.strat"], "rehearsal.start"),
    ],
)
def test_the_nearest_to_a_mistyped_task_or_option_is_named(
    capsys: pytest.CaptureFixture[str], words: list[str], near: str
) -> None:
    with pytest.raises(SystemExit) as end:
        Program(namespace=ns).run(["invoke", *words])
    assert end.value.code == 1
    assert capsys.readouterr().err.endswith(f" is! Did you mean {near}?\n")


def test_what_resembles_nothing_is_told_in_the_words_of_invoke(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit):
        Program(namespace=ns).run(["invoke", "xyzzyx\x1b[31m"])
    assert capsys.readouterr().err == "No idea what 'xyzzyx\\x1b[31m' is!\n"
