"""Every task: what it does, its options, its exit codes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from invoke.parser.argument import Argument
from invoke.tasks import Task

from spinstack.tasks import TOPICS

from . import exits, markdown

_VALUES = {int: "NUMBER", str: "TEXT", list: "TEXT"}


def page() -> str:
    """The tasks, topic by topic."""
    return markdown.page(_parts())


def _parts() -> Iterator[str]:
    overview = (
        (topic.about.rstrip("?"), markdown.links((it, _anchor(it)) for it in topic.names()))
        for topic in TOPICS
    )
    yield markdown.table(("Topic", "Tasks"), overview)
    for topic in TOPICS:
        yield markdown.heading(2, topic.about.rstrip("?"))
        for (name, about), task in zip(topic.lines(), topic.tasks, strict=True):
            yield from _task(name, about, task)


def _task(name: str, about: str, task: Task[Any]) -> Iterator[str]:
    yield markdown.heading(3, name, _anchor(name))
    yield markdown.sentence(about)
    yield markdown.docstring(task.__doc__ or "")
    options = [argument for argument in task.get_arguments() if argument.name]
    if options:
        rows = [(_flags(it), markdown.prose(it.help or ""), _default(it)) for it in options]
        # Mostly the meaning says what holds without it.
        columns = 3 if any(row[2] for row in rows) else 2
        head = ("Option", "Meaning", "Default")[:columns]
        yield markdown.table(head, (row[:columns] for row in rows), "options")
    meanings = exits.codes()[name]
    ends = [(str(code), meaning) for code, meaning in enumerate(meanings)]
    yield markdown.table(("Exit code", "Meaning"), ends)


def _anchor(name: str) -> str:
    return f"task-{name.replace('.', '-')}"


def _flags(argument: Argument) -> str:
    """As they are typed: `-t`, `--to TEXT`."""
    value = "" if argument.kind is bool else f" {_VALUES[argument.kind]}"
    # Invoke lists the name first, and those that stand for it after it.
    shown = [f"--{it}" if len(it) > 1 else f"-{it}" for it in reversed(argument.names)]
    shown[-1] += value
    needed = " (needed)" if argument.positional else ""
    return ", ".join(markdown.code(it.rstrip("_").replace("_", "-")) for it in shown) + needed


def _default(argument: Argument) -> str:
    plain = argument.default in (None, "", False, [], ()) or argument.kind is bool
    return "" if plain else markdown.code(str(argument.default))
