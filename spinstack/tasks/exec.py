"""Work inside a running container: a shell, or one command."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spinstack.tasks.task import ONE, TO, task

if TYPE_CHECKING:
    from spinstack.session import Session

NUMBER = "which of several containers of the service: 1, 2, … (default: the first)"


@task("run", help={"service": ONE, "to": TO, "number": NUMBER})
def shell(session: Session, service: str = "", to: str | None = None, number: int = 0) -> None:
    """Open a shell in a service's container.

    Bash where the container has it, sh elsewhere. What is changed in there is gone with the
    container; mounted directories are the real ones. Enter ~ . leaves one that hangs. Its exit
    code is that of this task.
    """
    from spinstack.operate import exec

    exec.shell(session, service, number)


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

    Typed at a terminal, the command has a terminal too, so that editors and Ctrl-C work; in
    scripts its two outputs are this task's, and its input is empty unless --input names one.
    No shell reads the command: for pipes say 'sh -c "…"'.

        invoke exec --service app --command 'python -V'
        invoke exec --service web --command 'sh -c "ls /data | wc -l"'

    Exit code: that of the command; 1 or 2 also where it could not be run at all.
    """
    from spinstack.operate import exec

    exec.execute(session, service, command, number, input=input, plain=plain)
