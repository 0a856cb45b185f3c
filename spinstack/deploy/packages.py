"""The Python packages of the images: requirements.txt, with exact versions and hashes, from
requirements.in. uv chooses the versions, by the options in uv.toml beside them."""

from __future__ import annotations

import re
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from spinstack.errors import SpinstackError, UsageError
from spinstack.transport.command import Command
from spinstack.transport.script import tail

if TYPE_CHECKING:
    from spinstack.session import Session
    from spinstack.transport.runner import Runner

WANTED, PINNED, OPTIONS = "requirements.in", "requirements.txt", "uv.toml"
# Seconds for asking the package index about some tens of packages, on a slow line.
_WITHIN = 600.0


@dataclass(frozen=True)
class Change:
    """A package with its version before and now; `-` where it was or is not there."""

    name: str
    before: str
    now: str


def pin(session: Session, *, upgrade: bool = False) -> list[Change]:
    """Write requirements.txt of every image that has a requirements.in; what has changed.

    Versions that still fit are kept, unless `upgrade`. Raises SpinstackError if uv is missing or
    finds no versions, which leaves a file as it was, and UsageError if there is no such image.
    """
    session.must_know_destination()
    contexts = [session.directory / image.context for image in session.settings.images]
    changed: list[Change] = []
    contexts = [context for context in contexts if (context / WANTED).exists()]
    if not contexts:
        raise UsageError(
            f"no image of this stack has a {WANTED}",
            where=str(session.directory),
            remedy=f"put one beside the Dockerfile of an image, and a {OPTIONS} with uv's options",
        )
    for context in contexts:
        before = _pinned(context)
        with session.console.step(f"choose versions for {context.name}"):
            choose(session.runner, context, upgrade=upgrade)
        now = _pinned(context)
        changed += [
            Change(name, before.get(name, "-"), now.get(name, "-"))
            for name in sorted({*before, *now})
            if before.get(name) != now.get(name)
        ]
    return changed


def choose(runner: Runner, context: Path, *, upgrade: bool = False) -> None:
    """Write requirements.txt of one image. Raises as `pin` does."""
    if not (context / OPTIONS).exists():
        raise UsageError(
            f"there is no {OPTIONS}, which says how packages are chosen",
            where=str(context),
            remedy=f"copy {OPTIONS} from a stack that `spinstack new` makes",
        )
    words = ["pip", "compile", "--quiet", "--config-file", OPTIONS, WANTED, "--output-file", PINNED]
    words += ["--upgrade"] if upgrade else []
    result = runner.run(Command(_uv(runner), *words), cwd=context, timeout=_WITHIN)
    if not result.ok:
        raise SpinstackError(
            "uv could not choose versions for what is asked for",
            where=str(context / WANTED),
            remedy="correct what the lines above name, then run the same command again",
            details=tail(result.stderr),
        )


def _pinned(context: Path) -> dict[str, str]:
    """What requirements.txt has, package → version; nothing without that file."""
    try:
        text = (context / PINNED).read_text("utf-8")
    except FileNotFoundError:
        return {}
    return dict(re.findall(r"^([\w.-]+)==([^\s;\\]+)", text, re.MULTILINE))


def _uv(runner: Runner) -> str:
    """uv, also from an environment that is not activated. Raises SpinstackError without it."""
    beside = Path(sys.executable).with_name("uv")
    if runner.dry or shutil.which("uv"):
        return "uv"
    if beside.exists():
        return str(beside)
    raise SpinstackError(
        "uv is not installed; it chooses the versions of packages",
        remedy="run `pip install uv`, then the same command again",
    )
