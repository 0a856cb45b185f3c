"""What every task shares: a session, errors told in three lines, the usual options."""

from __future__ import annotations

import functools
import inspect
import os
import sys
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
                if context.config.run.echo and os.environ.get("SPINSTACK_DEBUG"):
                    raise
                console.error(error)
                raise Exit(code=error.exit_code) from None
            except KeyboardInterrupt:
                console.note("stopped by Ctrl-C")
                raise Exit(code=1) from None
            except BrokenPipeError:
                # Whoever read the output has seen enough (`| head`).
                sys.stderr.close()
                raise Exit(code=1) from None

        run.__doc__ = f"({topic}) {body.__doc__}"
        made: Task[Body] = invoke_task(help=help or {}, **options)(run)
        return made

    return decorate
