"""What every task shares: a session, errors told in three lines, the usual options.

Every command imports all modules of tasks, to know their names and options. So these import
at their top only what describes tasks: this module, `manual`, and Invoke, which is there
already. What a task works with is imported inside it. A test counts modules
(tests/unit/test_startup.py).
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from types import FunctionType
from typing import TYPE_CHECKING, Any, TypeVar, cast

from invoke.tasks import Task
from invoke.tasks import task as invoke_task

if TYPE_CHECKING:
    from invoke.context import Context

    from spinstack.errors import SpinstackError

TO = "destination in invoke.yaml (default: the stack's own)"
YES = "don't ask"
JSON = "print the result as JSON"
SERVICE = "one service (default: all)"
ONE = "which service"

Body = TypeVar("Body", bound=Callable[..., Any])


def task(
    topic: str, *, help: dict[str, str] | None = None, **options: Any
) -> Callable[[Body], Task[Body]]:
    """Invoke's task, with spinstack's errors told as a person wants them.

    `topic`: the word that its line in `--list` begins with. A task with an option `to` is
    given a `Session`, any other one Invoke's context.
    """

    def decorate(body: Body) -> Task[Body]:
        names, needed = _parameters(body)

        @functools.wraps(body)
        def run(context: Context, *args: Any, **kwargs: Any) -> Any:
            return _told(body, context, "to" in names, args, kwargs)

        run.__doc__ = f"({topic}) {body.__doc__}"
        made: Task[Body] = invoke_task(help=help or {}, positional=needed, **options)(run)
        return made

    return decorate


def _parameters(body: Callable[..., Any]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The names of a task's options, and of those without a default.

    Read from the function itself: `inspect.signature`, which Invoke would ask, is slow for
    sixty tasks at every command.
    """
    function = cast(FunctionType, body)
    names = function.__code__.co_varnames[1 : function.__code__.co_argcount]
    return names, names[: len(names) - len(function.__defaults__ or ())]


def _told(
    body: Callable[..., Any],
    context: Context,
    wants_session: bool,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> Any:
    """Run a task; whatever stops it is told in lines. Raises Exit with the exit code."""
    from invoke.exceptions import Exit

    from spinstack.console import Console
    from spinstack.errors import SpinstackError
    from spinstack.session import Session

    session = Session(context, kwargs.get("to")) if wants_session else None
    console = session.console if session else Console()
    try:
        return body(session or context, *args, **kwargs)
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
        sys.stderr.close()
        raise Exit(code=1) from None
    except Exception as error:
        # Whatever it is, a person gets three lines; the rest is for whoever mends it.
        _trace_if_asked()
        console.error(_defect(error))
        raise Exit(code=1) from None


def _trace_if_asked() -> None:
    """With Invoke's own `--debug`, show where an error came from."""
    import logging
    import traceback

    if logging.getLogger("invoke").isEnabledFor(logging.DEBUG):
        traceback.print_exc()


def _defect(error: Exception) -> SpinstackError:
    """An error that nobody foresaw."""
    import traceback

    from spinstack.errors import SpinstackError

    frames = traceback.extract_tb(error.__traceback__)
    where = f"{frames[-1].filename}:{frames[-1].lineno}" if frames else ""
    return SpinstackError(
        f"something that was not foreseen: {type(error).__name__}: {error}",
        where=where,
        remedy="the same command with `invoke --debug …` shows more; please report it",
    )
