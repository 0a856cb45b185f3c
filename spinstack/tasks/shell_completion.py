"""The completion scripts for shells."""

from __future__ import annotations

from pathlib import Path

from spinstack.errors import UsageError

SCRIPTS = Path(__file__).with_name("completion_scripts")
SHELLS = ("bash", "zsh", "fish")


def script(shell: str) -> str:
    """The completion script of a shell. Raises UsageError for an unknown one."""
    if shell not in SHELLS:
        raise UsageError(
            f"there is no completion for {shell!r}", remedy=f"use one of {', '.join(SHELLS)}"
        )
    return (SCRIPTS / shell).read_text(encoding="utf-8")
