"""The entry of the client: from the words of a command line to an exit code."""

from __future__ import annotations

import importlib
import io
import signal
import sys
from collections.abc import Sequence

from . import cli, log
from .failure import Exit, Failure, UsageFailure
from .flags import Parsed, parse
from .session import Session

_UNKNOWN_COMMAND = 3


def main(words: Sequence[str]) -> int:
    """Run the command. Returns the exit code: 0, 1, 3 for an unknown command, or `exec`'s."""
    try:
        return _run(words)
    except Exit as end:
        return end.code
    except UsageFailure as problem:
        command = cli.find(problem.command)
        usage = cli.command_help(command) if command else cli.help_text()
        log.say(f"Incorrect Usage.\n\n{usage}\n")
        log.fatal(str(problem))
        return 1
    except Failure as failure:
        log.fatal(str(failure))
        return 1


def run_as_program() -> None:
    """`main` for a process of its own: a closed pipe or Ctrl-C ends it silently, as C does."""
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # Whatever the locale: compose files are UTF-8, and a variable may hold any bytes.
            stream.reconfigure(encoding="utf-8", errors="surrogateescape")
    sys.exit(main(sys.argv[1:]))


def _run(words: Sequence[str]) -> int:
    top = parse(words, cli.GLOBAL_FLAGS, mixed=False)
    if top.options["version"]:
        log.say(f"rancher version {cli.VERSION}")
        return 0
    if not top.names or top.options["help"]:
        log.say(cli.help_text())
        return 0
    if top.names[0] in ("help", "h"):
        return _help(top.names[1:])
    return _command(top)


def _command(top: Parsed) -> int:
    command = cli.find(top.names[0])
    if command is None:
        return _no_topic(top.names[0])
    given = Parsed({}, top.names[1:])
    if command.parsed:
        try:
            given = parse(top.names[1:], cli.flags_of(command))
        except UsageFailure as problem:
            raise UsageFailure(str(problem), command.names[0]) from None
        if given.options["help"]:
            log.say(cli.command_help(command))
            return 0
    module = importlib.import_module(f".commands.{command.module}", __package__)
    code: int = getattr(module, command.function)(Session(top.options), given)
    return code


def _help(names: Sequence[str]) -> int:
    command = cli.find(names[0]) if names else None
    if names and command is None:
        return _no_topic(names[0])
    log.say(cli.command_help(command) if command else cli.help_text())
    return 0


def _no_topic(name: str) -> int:
    sys.stderr.write(f"No help topic for '{name}'\n")
    return _UNKNOWN_COMMAND
