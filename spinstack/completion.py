"""How a command line may continue: for shell completion.

    spinstack --complete -- invoke deploy --to d

The last word is the one being typed, empty at the beginning of a new one. Each answer is a
line: the word, a tab, what it means. No lines: let the shell complete file names.

Invoke's own completion knows tasks and options; this one also knows the destinations, services
and images of the stack around the current directory.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from invoke.collection import Collection
from invoke.parser.context import ParserContext
from invoke.program import Program

from spinstack.errors import SpinstackError

if TYPE_CHECKING:
    from spinstack.session import Session


# Words, and what each means.
Answers = Mapping[str, str]


def tell(typed: Sequence[str]) -> None:
    """Print the answers for a command line up to the word being typed."""
    for word, about in answers(typed).items():
        print(f"{word}\t{about}")


def answers(typed: Sequence[str]) -> Answers:
    """`typed`: the program's name and the words after it, the last one being typed."""
    program, *words = _without_equals(typed)
    before, current = words[:-1], words[-1] if words else ""
    collection = _collection(Path(program).name)
    tasks = _tasks(collection)
    context = _context_of(before, {each.name: each for each in collection.to_contexts()})
    option, equals, value = current.partition("=")
    if equals and current.startswith("--"):
        found = _values(context, option)
        return {f"{option}={word}": about for word, about in _begun(found, value).items()}
    if before and _takes_value(context, before[-1]):
        return _begun(
            tasks if before[-1] in ("-h", "--help") else _values(context, before[-1]), current
        )
    return _begun(_options(context, current) if current.startswith("-") else tasks, current)


def _without_equals(typed: Sequence[str]) -> list[str]:
    """Bash passes `--to=dev` as three words."""
    words = [word for word in typed if word != "="]
    return [*words, ""] if typed and typed[-1] == "=" else words


def _begun(found: Answers, current: str) -> Answers:
    return {word: about for word, about in found.items() if word.startswith(current)}


def _collection(program: str) -> Collection:
    """The tasks of a program: the package's own, or those of the tasks.py that invoke finds."""
    from spinstack.tasks import ns

    if program == "spinstack":
        return ns
    from invoke.config import Config
    from invoke.exceptions import CollectionNotFound
    from invoke.loader import FilesystemLoader

    try:
        module, parent = FilesystemLoader(config=Config()).load()
    except CollectionNotFound:
        return Collection()
    return Collection.from_module(module, loaded_from=parent)


def _tasks(collection: Collection) -> Answers:
    return {name: _first_line(collection[name].__doc__) for name in collection.task_names}


def _first_line(text: str | None) -> str:
    """Of a docstring, without the topic's word at the beginning."""
    return re.sub(r"^\(\w+\) ", "", (text or "").strip().split("\n", 1)[0])


def _context_of(before: Sequence[str], tasks: Mapping[Any, ParserContext]) -> ParserContext:
    """The task whose options come next; Invoke's own options before the first task."""
    context = Program().initial_context
    last = ""
    for word in before:
        if word in tasks and not _takes_value(context, last):
            context = tasks[word]
        last = word
    return context


def _takes_value(context: ParserContext, word: str) -> bool:
    return word in context.flags and bool(context.flags[word].takes_value)


def _options(context: ParserContext, current: str) -> Answers:
    """All long options; short ones too after a single dash."""
    found = {flag: context.flags[flag].help or "" for flag in context.flags}
    if current == "-":
        found |= {
            short: context.flags[long].help or ""
            for short, long in context.flags.aliases.items()
            if not short.startswith("--")
        }
    return found


def _values(context: ParserContext, flag: str) -> Answers:
    """The values that this stack has for an option; none outside a stack."""
    from spinstack.tasks import ns

    known = VALUES.get(context.flags[flag].name or "") if flag in context.flags else None
    if known is None or context.name not in ns.task_names:
        return {}
    try:
        return known(_session())
    except SpinstackError:
        return {}


def _session() -> Session:
    """The stack around the current directory, as Invoke would read it."""
    from invoke.config import Config
    from invoke.context import Context

    from spinstack.session import Session
    from spinstack.tasks.settings_file import stack_directory

    config = Config()
    config.set_project_location(str(stack_directory(Path.cwd())))
    config.load_project()
    return Session(Context(config))


def _destinations(session: Session) -> Answers:
    settings = session.settings
    return {
        name: "the default" if name == settings.default_destination else "destination"
        for name in settings.destination_names
    }


def _services(session: Session) -> Answers:
    """Read from the compose file alone: the whole stack's files take longer than a TAB may."""
    from spinstack.text import read_yaml

    path = session.directory / session.settings.compose_file
    if not path.is_file():
        return {}
    try:
        services = read_yaml(path.read_bytes()).get("services") or {}
    except (OSError, ValueError, AttributeError):
        return {}
    return {str(name): "service" for name in services} if isinstance(services, dict) else {}


def _images(session: Session) -> Answers:
    return {image.key: image.name for image in session.settings.images}


def _rules(session: Session) -> Answers:
    from spinstack.checks import catalogue

    return {"all": "list the rules"} | {rule.id: rule.about for rule in catalogue.rules().values()}


VALUES: dict[str, Callable[[Session], Answers]] = {
    "to": _destinations,
    "service": _services,
    "image": _images,
    "explain": _rules,
}
