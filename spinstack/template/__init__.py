"""The cookiecutter template: where it is, and making a stack from it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
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
            given = _asked(place, given)
        made = cookiecutter(place, no_input=True, extra_context=given, output_dir=output)
    except (CookiecutterException, ValueError) as error:  # ValueError: none of the choices
        # The hook has said what is wrong with the answers; cookiecutter adds its own line.
        remedy = "change the answers, or choose another directory"
        raise SpinstackError(str(error), where=str(Path(output).resolve()), remedy=remedy) from None
    return str(made)


def pairs(answers: Iterable[str]) -> dict[str, str]:
    """The answers by question. Raises UsageError for one that is not KEY=VALUE."""
    return dict(_pair(text) for text in answers)


def _asked(place: str, given: Mapping[str, str]) -> dict[str, str]:
    """The answers to all questions: those that are given, and those that a person types, each
    asked as cookiecutter asks it. Questions of another kind of stack are not asked."""
    from cookiecutter import prompt
    from jinja2 import Environment, StrictUndefined

    context = json.loads((Path(place) / "cookiecutter.json").read_text(encoding="utf-8"))
    questions = {key: value for key, value in context.items() if not key.startswith("_")}
    others = {key: kind for kind, keys in context["_only_for"].items() for key in keys}
    env = Environment(undefined=StrictUndefined, **context["_jinja2_env_vars"])  # noqa: S701 - no HTML
    answers = dict(given)
    for key, asked in questions.items():
        default = prompt.render_variable(env, asked, answers)
        if key in given or others.get(key, answers.get("kind")) != answers.get("kind"):
            answers.setdefault(key, default)
        elif isinstance(default, list):
            answers[key] = prompt.read_user_choice(key, default, context["__prompts__"])
        else:
            answers[key] = prompt.read_user_variable(key, default, context["__prompts__"])
    return answers


def _pair(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals:
        raise UsageError(
            f"{text!r} is not KEY=VALUE", remedy="for example: --answer web_port=60021"
        )
    return key, value
