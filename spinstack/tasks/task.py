"""What every task shares: a session, errors in three lines, the usual options.

Every command imports all modules of tasks, to know their names and options. So at their top
these import only what describes tasks: this module, `topics`, and Invoke, which is loaded
already. What a task works with is imported inside it. A test counts modules
(tests/unit/test_startup.py).
"""

from __future__ import annotations

import copy
import sys
from collections.abc import Callable, Iterable
from types import FunctionType
from typing import TYPE_CHECKING, Any, TypeVar, cast

from invoke.collection import Collection
from invoke.parser.context import ParserContext
from invoke.tasks import Task

if TYPE_CHECKING:
    from invoke.context import Context
    from invoke.exceptions import ParseError
    from invoke.parser.argument import Argument

    from spinstack.session import Session


TO = "destination from invoke.yaml, such as dev (default: the one set there)"
YES = "answer yes to every question"
JSON = "print the result as JSON"
SERVICE = "one service (default: all)"
ONE = "the service"

LISTING = (["--list"], ["-l"])
# Programs whose arguments Invoke reads, and what `python -m invoke` calls itself.
COMMANDS = ("invoke", "inv", "spinstack")
MODULE = ["invoke", "__main__.py"]

Body = TypeVar("Body", bound=Callable[..., Any])


class StackTask(Task[Body]):
    """Invoke's task, with spinstack's errors printed for people.

    A task with an option `to` is given a `Session`, any other one Invoke's context.

    For every command Invoke creates and copies all tasks. With sixty tasks that takes long, so
    it is made cheap here.
    """

    def __init__(
        self, body: Body, topic: str, *, logs_in: Callable[..., None] | None = None, **options: Any
    ) -> None:
        """`logs_in`: for a task that can do nothing without the login node, so that the login may
        begin before the task is loaded. It is called first, with the session and the options, and
        raises UsageError for what nobody should have to log in for."""
        function = cast(FunctionType, body)
        # What `inspect.signature`, which Invoke would use, finds out slowly.
        names = function.__code__.co_varnames[1 : function.__code__.co_argcount]
        needed = names[: len(names) - len(function.__defaults__ or ())]
        super().__init__(body, positional=needed, **options)
        self.wants_session = "to" in names
        self.logs_in = logs_in
        self.__doc__ = f"({topic}) {body.__doc__}"

    def __call__(self, context: Context, /, *args: Any, **kwargs: Any) -> Any:
        """Raises Exit with the exit code, after printing what stopped the task."""
        self.times_called += 1
        return _told(self, context, args, kwargs)

    def get_arguments(self, ignore_unknown_help: bool | None = None) -> list[Argument]:
        # Invoke removes the texts that it has used.
        texts, self.help = self.help, dict(self.help)
        try:
            return super().get_arguments(ignore_unknown_help)
        finally:
            self.help = texts

    def __deepcopy__(self, memo: object) -> StackTask[Body]:
        # Nothing in it changes once it is made.
        return copy.copy(self)


def is_listing() -> bool:
    """Whether this is `invoke --list`, which needs neither options nor settings. Only the first
    word counts, since that can't be a task's own option."""
    return sys.argv[1:2] in LISTING and _is_typed()


def _is_typed() -> bool:
    """Whether the words of this process are those that Invoke reads."""
    program = sys.argv[0].replace("\\", "/").split("/")
    return program[-1] in COMMANDS or program[-2:] == MODULE


def task(
    topic: str, *, help: dict[str, str] | None = None, **options: Any
) -> Callable[[Body], StackTask[Body]]:
    """Turn a function into a task. `topic`: the word that its line in `--list` begins with."""

    def decorate(body: Body) -> StackTask[Body]:
        return StackTask(body, topic, help=help, **options)

    return decorate


class _Untyped(ParserContext):
    """A task whose name was not typed: nothing is parsed for it, so nothing changes in it."""

    def __deepcopy__(self, memo: object) -> _Untyped:
        return self


def spare_options() -> None:
    """From now on, Invoke creates the options of those tasks only whose names were typed. With
    sixty tasks, creating and then copying all of them takes as long as loading the tasks."""
    usual = Collection.to_contexts

    def to_contexts(
        collection: Collection, ignore_unknown_help: bool | None = None
    ) -> list[ParserContext]:
        if not _is_typed():
            return usual(collection, ignore_unknown_help)
        typed = " ".join(sys.argv[1:])
        return [
            ParserContext(name, names, collection[name].get_arguments(ignore_unknown_help))
            if any(word in typed for word in (name, *names))
            else _Untyped(name, names)
            for name, names in collection.task_names.items()
        ]

    Collection.to_contexts = to_contexts  # type: ignore[assignment, method-assign]


def improve_parsing() -> None:
    """From now on, `--help` after a task shows its help even where a value may come, for which
    Invoke would take it; a value that is no number is an error, not a traceback; and a mistyped
    task or option is told with the one that is meant."""
    from invoke.exceptions import Exit, ParseError
    from invoke.parser.parser import ParseMachine
    from invoke.program import Program

    usual, usual_end = ParseMachine.handle, Program.parse_cleanup

    def handle(machine: ParseMachine, token: str) -> None:
        context = machine.context
        task = context.name if context and token not in context.flags else None
        if task and token in ("--help", "-h"):
            machine.flag = None
            for argument in context.missing_positional_args:
                argument.set_value("", cast=False)
            machine.initial.flags[token].value = task
            return
        try:
            usual(machine, token)
        except ValueError:
            from spinstack.text import harmless

            flag = machine.flag.name if machine.flag else ""
            message = f"error: --{flag} needs a number, not {harmless(token[:40])!r}"
            raise Exit(message, code=2) from None
        except ParseError as error:
            flags = {**machine.initial.flags, **(context.flags if context else {})}
            names = flags if token.startswith("-") else machine.contexts
            raise _with_nearest(error, token, names) from None

    def parse_cleanup(program: Program) -> None:
        try:
            usual_end(program)
        except ParseError as error:
            asked = program.args.help.value
            raise _with_nearest(error, str(asked), program.parser.contexts) from None

    ParseMachine.handle = handle  # type: ignore[assignment]
    Program.parse_cleanup = parse_cleanup  # type: ignore[assignment,method-assign]


def _with_nearest(error: ParseError, typed: str, names: Iterable[str]) -> ParseError:
    """What Invoke says of a word that it does not know, with the name that is nearest to it."""
    import difflib

    near = difflib.get_close_matches(typed, list(names), 1)
    said = str(error)
    if not near or not said.startswith("No idea what "):
        return error
    from invoke.exceptions import ParseError

    from spinstack.text import harmless

    return ParseError(
        f"No idea what {harmless(typed[:40])!r} is! Did you mean {near[0]}?", error.context
    )


def _told(
    task: StackTask[Any], context: Context, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    from invoke.exceptions import Exit

    from spinstack.console import streams
    from spinstack.console.console import Console
    from spinstack.errors import SpinstackError
    from spinstack.session import Session

    session = Session(context, kwargs.get("to")) if task.wants_session else None
    console = session.console if session else Console()
    try:
        return _run(task, session, context, args, kwargs)
    except SpinstackError as error:
        _trace_if_asked()
        console.error(error)
        raise Exit(code=error.exit_code) from None
    except Exit:
        raise
    except KeyboardInterrupt:
        console.note("stopped by Ctrl-C")
        raise Exit(code=1) from None
    except BrokenPipeError:
        # Whoever read the output has seen enough (`| head`).
        streams.give_up(sys.stdout)
        streams.give_up(sys.stderr)
        raise Exit(code=1) from None
    except Exception as error:
        # Whatever it is, people get three lines; the rest is for whoever fixes it.
        from spinstack.tasks import defects

        _trace_if_asked()
        console.error(defects.explained(error))
        raise Exit(code=1) from None


def _run(
    task: StackTask[Any],
    session: Session | None,
    context: Context,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> Any:
    if session is None:
        return task.body(context, *args, **kwargs)
    try:
        if task.logs_in:
            task.logs_in(session, **kwargs)
            session.log_in_early()
        return task.body(session, *args, **kwargs)
    finally:
        session.leave()


def _trace_if_asked() -> None:
    """With Invoke's own `--debug`, show where an error came from."""
    import logging
    import traceback

    if logging.getLogger("invoke").isEnabledFor(logging.DEBUG):
        traceback.print_exc()
