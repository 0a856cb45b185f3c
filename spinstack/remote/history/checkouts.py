"""The checkouts that a stack mounts: which commit was checked out at a given time.

For each checkout, git records what HEAD was when (its reflog, 90 days by default). Pure.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone

from spinstack.config.settings import Checkout, Destination
from spinstack.config.stack import Stack
from spinstack.transport.command import Command, Raw
from spinstack.transport.script import ScriptResult, Step


@dataclass(frozen=True)
class Code:
    """Code that is mounted, not in an image: the variable that names its directory, its
    repository, its commit at that time (empty if git does not know), and whether there were
    uncommitted changes (known only for now)."""

    name: str
    repository: str
    commit: str
    dirty: bool = False


def look_steps(sources: Sequence[Source], at: datetime | None) -> list[Step]:
    """A step for each checkout. `at`: None for now."""
    return [
        Step(_name(source), _commands(source.path, at), must=False)
        for source in sources
        if source.checkout
    ]


def _commands(path: str, at: datetime | None) -> tuple[Command, ...]:
    git = ("git", "-C", path)
    if at is None:
        changed = (*git, "status", "--porcelain", "--untracked-files=no")
        told = Command(*changed, Raw("|"), "sed", "-n", "1s/.*/changed/p")
        return Command(*git, "rev-parse", "--verify", "HEAD"), told
    then = f"{at.astimezone(timezone.utc):%Y-%m-%d %H:%M:%S} +0000"
    return (Command(*git, "rev-parse", "--verify", f"HEAD@{{{then}}}"),)


def parse(result: ScriptResult, sources: Sequence[Source]) -> tuple[Code, ...]:
    """What the steps printed."""
    return tuple(
        _code(source, result.output(_name(source))) for source in sources if source.checkout
    )


def _code(source: Source, output: str) -> Code:
    lines = output.split("\n")
    found = [line for line in lines if re.fullmatch("[0-9a-f]{40,64}", line)]
    # For a time before its log begins, git answers with the oldest commit that it knows.
    known = bool(found) and "only goes back to" not in output
    url = source.checkout.url if source.checkout else ""
    return Code(source.name, url, found[0] if known else "", known and "changed" in lines)


def _name(source: Source) -> str:
    return f"code of {source.name}"


@dataclass(frozen=True)
class Source:
    """A directory that is mounted: the variable that names it (or its path), whether a
    service writes to it, and the repository that belongs there, if one does."""

    name: str
    path: str
    writable: bool = False
    checkout: Checkout | None = None


def git_step() -> Step:
    """Git must not ask, as nobody can answer, nor write while looking; its messages, and those of
    other programs, in one language."""
    words = ("GIT_TERMINAL_PROMPT=0", "GIT_SSH_COMMAND=ssh -o BatchMode=yes")
    return Step("git", (Command("export", *words, "GIT_OPTIONAL_LOCKS=0", "LC_ALL=C"),))


def sources(stack: Stack, destination: Destination) -> list[Source]:
    """The directories that the services mount, each once, in the order of the compose file."""
    values = stack.variables(destination)
    names = {values[name]: name for name in sorted(stack.mount_variables()) if values.get(name)}
    checkouts = {checkout.variable: checkout for checkout in destination.checkouts}
    found: dict[str, Source] = {}
    for service in stack.services(destination)[0]:
        for mount in service.mounts:
            if not mount.source.startswith("/"):
                continue
            name = names.get(mount.source, mount.source)
            old = found.get(mount.source)
            writable = not mount.read_only or bool(old and old.writable)
            found[mount.source] = Source(name, mount.source, writable, checkouts.get(name))
    return list(found.values())
