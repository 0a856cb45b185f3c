"""The checkouts that a stack mounts: which commit lay there at a given time.

Git keeps for each checkout what HEAD was when (its reflog, 90 days by default). Pure.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone

from spinstack.command import Command, Raw
from spinstack.script import ScriptResult, Step
from spinstack.setup_facts import Source


@dataclass(frozen=True)
class Code:
    """Code that is mounted, not in an image: the variable that names its directory, its
    repository, its commit at that time (empty if git does not know), and whether there were
    changes beyond it (known only for now)."""

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
    # Git's answer for a time before its log begins is the oldest commit that it knows of.
    known = bool(found) and "only goes back to" not in output
    url = source.checkout.url if source.checkout else ""
    return Code(source.name, url, found[0] if known else "", known and "changed" in lines)


def _name(source: Source) -> str:
    return f"code of {source.name}"
