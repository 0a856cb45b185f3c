"""Work inside a running container: a shell, or one command."""

from __future__ import annotations

from pathlib import Path

from invoke.exceptions import Exit

from spinstack import inside
from spinstack.errors import UsageError
from spinstack.session import Session
from spinstack.tasks.choosing import ONE, one_service, rancher
from spinstack.tasks.running import TO, task

NUMBER = "which of several containers of the service: 1, 2, … (default: the first)"


@task("run", help={"service": ONE, "to": TO, "number": NUMBER})
def shell(session: Session, service: str = "", to: str | None = None, number: int = 0) -> None:
    """Open a shell in a service's container.

    Bash where the container has it, sh elsewhere. What is changed in there is gone with the
    container; mounted directories are the real ones. Enter ~ . leaves one that hangs.
    """
    from spinstack import relaying

    name = one_service(session, service)
    if not relaying.on_terminal() and not session.dry:
        raise UsageError(
            "a shell needs a terminal", remedy=f"invoke exec --service {name} --command '…'"
        )
    _run(session, name, list(inside.SHELL), number, terminal=True)


@task(
    "run",
    help={
        "service": ONE,
        "command": "the command, quoted as a whole: 'python -V'",
        "to": TO,
        "number": NUMBER,
        "input": "file that the command is given as its input; - is standard input",
        "plain": "no terminal for the command, even where there is one",
    },
    name="exec",
)
def exec_(
    session: Session,
    service: str = "",
    command: str = "",
    to: str | None = None,
    number: int = 0,
    input: str = "",
    plain: bool = False,
) -> None:
    """Run a command in a service's container.

    Its exit code is that of this task. On a terminal it has one too, so that editors and
    Ctrl-C work; in scripts its two outputs are this task's, and its input is empty unless
    --input names one. No shell reads the command: for pipes say 'sh -c "…"'.
    """
    from spinstack import relaying

    words = inside.words(command)
    name = one_service(session, service)
    data = _input(session, input)
    terminal = relaying.on_terminal() and not input and not plain
    _run(session, name, words, number, terminal=terminal, data=data)


def _run(
    session: Session,
    service: str,
    words: list[str],
    number: int,
    *,
    terminal: bool,
    data: bytes = b"",
) -> None:
    with rancher(session) as there:
        container = inside.find(there, service, number)
        code = inside.run(there, container, words, terminal=terminal, input=data)
    if code:
        raise Exit(code=code)


def _input(session: Session, source: str) -> bytes:
    """What the command is given to read. Raises UsageError."""
    import sys

    if not source or session.dry:
        return b""
    try:
        data = sys.stdin.buffer.read() if source == "-" else Path(source).read_bytes()
    except OSError as error:
        raise UsageError(
            f"the input can't be read: {error.strerror}", where=source, remedy="see --input"
        ) from None
    if len(data) > inside.LARGEST_INPUT:
        raise UsageError(
            f"{len(data)} bytes are too many for Rancher's command line, which gets stuck",
            where=source,
            remedy="copy the file into a mounted directory on the login node",
        )
    return data
