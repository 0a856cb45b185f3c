"""The scripts that let shells complete what is typed."""

from __future__ import annotations

from pathlib import Path

from spinstack.errors import UsageError

SCRIPTS = Path(__file__).with_name("completion_scripts")
SHELLS = ("bash", "zsh", "fish")


def script(shell: str) -> str:
    """What makes a shell ask here. Raises UsageError for an unknown one."""
    if shell not in SHELLS:
        raise UsageError(f"there is no completion for {shell!r}", remedy=f"{', '.join(SHELLS)}")
    return (SCRIPTS / shell).read_text(encoding="utf-8")
