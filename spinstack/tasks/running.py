"""What every task shares: a session, errors told in three lines, the usual options."""

from __future__ import annotations

import functools
import inspect
import logging
import sys
import traceback
from collections.abc import Callable
from typing import Any, TypeVar

from invoke.context import Context
from invoke.exceptions import Exit
from invoke.tasks import Task
from invoke.tasks import task as invoke_task

from spinstack.console import Console
from spinstack.errors import SpinstackError
from spinstack.session import Session

TO = "destination in invoke.yaml (default: the stack's own)"
YES = "don't ask"
JSON = "print the result as JSON"

Body = TypeVar("Body", bound=Callable[..., Any])


def task(
    topic: str, *, help: dict[str, str] | None = None, **options: Any
) -> Callable[[Body], Task[Body]]:
    """Invoke's task, with spinstack's errors told as a person wants them.

    `topic`: the word that its line in `--list` begins with. A task with an option `to` is
    given a `Session`, any other one Invoke's context.
    """

    def decorate(body: Body) -> Task[Body]:
        wants_session = "to" in inspect.signature(body).parameters

        @functools.wraps(body)
        def run(context: Context, *args: Any, **kwargs: Any) -> Any:
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

        run.__doc__ = f"({topic}) {body.__doc__}"
        made: Task[Body] = invoke_task(help=help or {}, **options)(run)
        return made

    return decorate


def _trace_if_asked() -> None:
    """With Invoke's own `--debug`, show where an error came from."""
    if logging.getLogger("invoke").isEnabledFor(logging.DEBUG):
        traceback.print_exc()


def _defect(error: Exception) -> SpinstackError:
    """An error that nobody foresaw."""
    frames = traceback.extract_tb(error.__traceback__)
    where = f"{frames[-1].filename}:{frames[-1].lineno}" if frames else ""
    return SpinstackError(
        f"something that was not foreseen: {type(error).__name__}: {error}",
        where=where,
        remedy="the same command with `invoke --debug …` shows more; please report it",
    )
