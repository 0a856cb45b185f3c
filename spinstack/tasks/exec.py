"""Work inside a running container: a shell, or one command."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spinstack.tasks.task import ONE, TO, task

if TYPE_CHECKING:
    from spinstack.session import Session

NUMBER = "which container of the service: 1, 2, … (default: the first)"


@task("run", help={"service": ONE, "to": TO, "number": NUMBER})
def shell(session: Session, service: str = "", to: str | None = None, number: int = 0) -> None:
    """Open a shell in a service's container.

    Bash if the container has it, otherwise sh. Changes inside are lost with the container, but
    mounted directories are the real ones. To leave a shell that hangs, type Enter ~ . as in
    ssh. The exit code is the shell's.
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
        "input": "file to use as the command's standard input; - for this task's own",
        "plain": "run the command without a terminal, even if there is one",
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

    From a terminal, the command gets a terminal too, so editors and Ctrl-C work. In scripts,
    its standard output and error are passed through, and its input is empty unless --input is
    given. The command is not run by a shell: for pipes, use 'sh -c "…"'.

        invoke exec --service app --command 'python -V'
        invoke exec --service web --command 'sh -c "ls /data | wc -l"'

    Exit code: that of the command; 1 or 2 also if it could not be run at all.
    """
    from spinstack.operate import exec

    exec.execute(session, service, command, number, input=input, plain=plain)
