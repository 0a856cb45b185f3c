"""Rancher 1 ("cattle"): its commands as steps of a script, its output as values.

Used with caution, because of what its command line does (v0.6.7): it exits 0 on failures, logs
to standard output, asks forever at end-of-file, creates stacks when asked about unknown ones
and waits without limit. So the environment is always set, every call has a time limit,
and states are read back from `ps --format json`, which creates nothing.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from spinstack.platforms import base
from spinstack.platforms.base import STOP_SECONDS
from spinstack.transport.command import Command, Raw, Word
from spinstack.transport.script import Step


def rancher(*words: Word, seconds: int | None = None) -> Command:
    """A call of the CLI under a time limit (coreutils' `timeout`, exit code 124), base.QUICK if
    none is given."""
    limit = base.QUICK if seconds is None else seconds
    return Command("timeout", "-k", "5", str(limit), "rancher", *words)


def ready_step(modules: Sequence[str], environment: str) -> Step:
    """Make the CLI usable in this shell. `UID` is a variable of bash that is not exported,
    and the compose file needs it."""
    return Step(
        "rancher environment",
        (
            *(Command("module", "load", module) for module in modules),
            Command("export", f"RANCHER_ENVIRONMENT={environment}"),
            Command("export", "UID"),
            Command("command", "-v", "rancher"),
        ),
    )


def _up(
    stack: str, env_file: str, *flags: str, services: Sequence[Word] = (), seconds: int
) -> Command:
    flags = (*flags, "--stack", stack, "--env-file", env_file)
    return rancher("up", *flags, *services, seconds=seconds)


def render(stack: str, env_file: str) -> Command:
    """Let the CLI read the files as `up` would. It creates the stack if there is none, and
    prints the files without filling in variables: a check, not a preview."""
    return _up(stack, env_file, "--render", seconds=base.QUICK)


def create(stack: str, env_file: str) -> Command:
    return _up(stack, env_file, "-d", seconds=base.SLOW)


def upgrade(stack: str, env_file: str) -> Command:
    """Start new containers, keeping the old ones stopped; creates services that are new."""
    return _up(stack, env_file, "-d", "--upgrade", seconds=base.SLOW)


def confirm(stack: str, env_file: str) -> Command:
    """Remove the old containers of an upgrade. Without `--upgrade`, so that a changed file
    can't start another one."""
    return _up(stack, env_file, "-d", "--confirm-upgrade", seconds=base.SLOW)


def put_back(stack: str, env_file: str, service: Word) -> Command:
    """Back to the old containers of a service."""
    return _up(stack, env_file, "-d", "--rollback", services=(service,), seconds=base.SLOW)


def named(stack: str, service: Word) -> Word:
    """`STACK/SERVICE`; the service may be a variable of the shell."""
    if isinstance(service, Raw):
        return Raw(shlex.quote(f"{stack}/") + service.text)
    return f"{stack}/{service}"


def inspect_step(stack: str, service: str) -> Step:
    """A service as Rancher has it, JSON in one line; for an unknown one the CLI prints an
    error, exits 0, and creates the stack: ask only about services that `ps` lists."""
    return Step(f"inspect {service}", (rancher("inspect", f"{stack}/{service}"),), must=False)


def logs_of(service: Word, lines: int) -> Command:
    """The last lines of a service, named `STACK/SERVICE`."""
    return rancher("logs", "--timestamps", "--tail", str(lines), service, seconds=base.QUICK)


# Before the service, as `STACK/SERVICE`.
STOP_SERVICE = ("stop", "--type", "service")


def stop_step(stack: str, service: str = "") -> Step:
    call = (
        rancher(*STOP_SERVICE, f"{stack}/{service}")
        if service
        else rancher("stop", "--type", "stack", stack)
    )
    return Step("stop", (call,), must=False)


def remove_step(stack: str, service: str = "") -> Step:
    """`rm` without `--type` can refuse with "you don't own this volume"; it never asks."""
    call = (
        rancher("rm", "--type", "service", f"{stack}/{service}")
        if service
        else rancher("rm", "--type", "stack", stack)
    )
    return Step("remove", (call,), must=False)


# Bash if the container has it.
SHELL = ("sh", "-c", "command -v bash >/dev/null 2>&1 && exec bash; exec sh")
# With more than this, Rancher's CLI gets stuck.
# Source: docs.nersc.gov, Spin reference guide.
LARGEST_INPUT = 1_000_000


def fed(command: Sequence[str], size: int) -> list[str]:
    """The command, given so many bytes and then the end of its input.

    The CLI's own input has to stay open: at its end it drops output and exit code.
    """
    if not size:
        return ["sh", "-c", 'exec "$@" </dev/null', "sh", *command]
    return ["sh", "-c", f'head -c {size} | "$@"', "sh", *command]


def exec_command(
    container: str, command: Sequence[str], *, terminal: bool, input_bytes: int
) -> Command:
    flags = ("-it",) if terminal else ()
    words = command if terminal else fed(command, input_bytes)
    return Command("rancher", "exec", *flags, container, *words)


def inspect_stack(stack: str) -> Command:
    """With `--type stack` it creates none; for an unknown one it prints an error, exit 0."""
    return rancher("inspect", "--type", "stack", stack)


def gone_step(stack: str) -> Step:
    # Not for any other error: the server may be away.
    look = f"{inspect_stack(stack).script()} | grep -q '^error .*: Not found: '"
    loop = f"for i in $(seq {STOP_SECONDS}); do {look} && break; sleep 1; done; {look}"
    return Step("gone", (Command(Raw(loop)),), must=False)


def each_step(verb: str, stack: str, names: Sequence[str]) -> Step:
    words = [f"{stack}/{name}" for name in names]
    return Step(verb, (rancher(verb, "--type", "service", *words),), must=False)


def scale_step(stack: str, service: str, count: int) -> Step:
    return Step("scale", (rancher("scale", f"{stack}/{service}={count}"),), must=False)


def exists_step(stack: str) -> Step:
    return Step("stack", (inspect_stack(stack),), must=False)
