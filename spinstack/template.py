"""The cookiecutter template: where it lies, and a stack made from it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from spinstack.errors import SpinstackError, UsageError
from spinstack.transport.command import Command

# The template's directory of a stack, named after the answer that it will get.
STACK_DIRECTORY = "<<cookiecutter.stack_name>>"


def path() -> Path:
    """The directory that holds `cookiecutter.json`.

    Raises SpinstackError where neither a checkout nor a wheel has brought one.
    """
    package = Path(__file__).resolve().parent
    for place in (package / "_template", package.parent):
        if (place / "cookiecutter.json").is_file() and (place / STACK_DIRECTORY).is_dir():
            return place
    raise SpinstackError(
        "the template of a stack is not there",
        where=str(package),
        remedy="install spinstack anew (pip install --force-reinstall spinstack), "
        "or run it from a checkout",
    )


def stack() -> Path:
    """The directory of the template that becomes a stack. Raises as `path` does."""
    return path() / STACK_DIRECTORY


def make(output: str, answers: Iterable[str], *, ask: bool, dry: bool) -> str:
    """Make a stack's directory inside `output`; its path, or the command in a dry run.

    `answers`: KEY=VALUE, for questions that are not asked then. Raises SpinstackError for
    answers that the template refuses, and for a directory that is there already.
    """
    given = dict(_pair(text) for text in answers)
    place = str(path())
    if dry:
        options = () if ask else ("--no-input",)
        words = [f"{key}={value}" for key, value in given.items()]
        command = Command("cookiecutter", *options, "--output-dir", output, place, *words)
        return f"$ {command.shown()}"
    from cookiecutter.exceptions import CookiecutterException
    from cookiecutter.main import cookiecutter

    try:
        made = cookiecutter(place, no_input=not ask, extra_context=given, output_dir=output)
    except CookiecutterException as error:
        # The hook has told what is wrong with the answers; cookiecutter adds its own line.
        remedy = "give other answers, or another directory"
        raise SpinstackError(str(error), where=str(Path(output).resolve()), remedy=remedy) from None
    return str(made)


def _pair(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals:
        raise UsageError(f"{text!r} is not KEY=VALUE", remedy="--answer web_port=60021")
    return key, value
