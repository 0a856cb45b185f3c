"""The cookiecutter template: where it is, and making a stack from it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from spinstack.errors import SpinstackError, UsageError

# The template's directory for a stack; its name is replaced by the answer.
STACK_DIRECTORY = "<<cookiecutter.stack_name>>"


def path() -> Path:
    """The directory that holds `cookiecutter.json`.

    Raises SpinstackError if neither a checkout nor a wheel has one.
    """
    package = Path(__file__).resolve().parents[1]
    for place in (package / "_template", package.parent):
        if (place / "cookiecutter.json").is_file() and (place / STACK_DIRECTORY).is_dir():
            return place
    raise SpinstackError(
        "the stack template is missing",
        where=str(package),
        remedy="reinstall spinstack (pip install --force-reinstall spinstack), "
        "or run it from a checkout",
    )


def stack() -> Path:
    """The part of the template that becomes a stack. Raises as `path` does."""
    return path() / STACK_DIRECTORY


def make(output: str, answers: Iterable[str], *, ask: bool, dry: bool) -> str:
    """Create a stack's directory inside `output`; its path, or the command in a dry run.

    `answers`: KEY=VALUE, for questions that are then not asked. Raises SpinstackError for
    answers that the template refuses, and for a directory that already exists.
    """
    given = pairs(answers)
    place = str(path())
    if dry:
        from spinstack.transport.command import Command

        options = () if ask else ("--no-input",)
        words = [f"{key}={value}" for key, value in given.items()]
        command = Command("cookiecutter", *options, "--output-dir", output, place, *words)
        return f"$ {command.shown()}"
    from cookiecutter.exceptions import CookiecutterException
    from cookiecutter.main import cookiecutter

    try:
        if ask:
            from spinstack.template import questions

            given = questions.ask(Path(place), given)
        made = cookiecutter(place, no_input=True, extra_context=given, output_dir=output)
    except (CookiecutterException, ValueError) as error:  # ValueError: none of the choices
        # The hook has said what is wrong with the answers; cookiecutter adds its own line.
        remedy = "change the answers, or choose another directory"
        raise SpinstackError(str(error), where=str(Path(output).resolve()), remedy=remedy) from None
    return str(made)


def pairs(answers: Iterable[str]) -> dict[str, str]:
    """The answers by question. Raises UsageError for one that is not KEY=VALUE."""
    return dict(_pair(text) for text in answers)


def _pair(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals:
        raise UsageError(
            f"{text!r} is not KEY=VALUE", remedy="for example: --answer web_port=60021"
        )
    return key, value
