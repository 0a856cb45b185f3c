"""Answers to the login prompt: from a person, or from a file in rehearsals. Knows no ssh."""

from __future__ import annotations

import getpass
import sys
from collections.abc import Callable
from pathlib import Path

from spinstack.errors import UsageError
from spinstack.text import harmless

# Where NERSC's sshproxy.sh writes its key, next to the certificate `nersc-cert.pub`.
SSHPROXY_KEY = Path("~/.ssh/nersc")
RENEW = (
    "renew it with `invoke login --sshproxy`, which asks for password and code; then run the "
    "same command again"
)
ONCE = (
    "wait for the next one-time code (each works once, for 30 s) and type the password directly "
    "followed by the six digits, without a space; or renew the key (`invoke login --sshproxy`)"
)
KEYS = (
    "it accepts only keys: set identity_file in invoke.yaml to one that it knows, or get one with "
    "`invoke login --sshproxy`"
)

Prompt = Callable[[str], str]


def ask_on_terminal(prompt: str) -> str:
    """Ask for a secret, without echo. Raises UsageError if there is no terminal."""
    if not sys.stdin.isatty():
        raise UsageError(
            f"the login node asks {prompt.strip()!r}, but there is no terminal to answer on",
            remedy="run it in a terminal, or get a key first: `invoke login --sshproxy`",
        )
    from spinstack.console.board import paused

    with paused():
        return getpass.getpass(harmless(prompt if prompt.endswith(" ") else prompt + " "))


def answers_from(path: Path) -> Prompt:
    """Answers every prompt with the first line of a file, read anew each time.

    Raises UsageError if the file is missing or others can read it.
    """

    def answer(prompt: str) -> str:
        try:
            mode = path.stat().st_mode
            text = path.read_text(encoding="utf-8-sig")
        except OSError as error:
            raise UsageError(
                f"the file with the login answer can't be read: {error.strerror}",
                where=str(path),
                remedy="start the rehearsal again, or remove the setting login_answer_file",
            ) from None
        if mode & 0o077:
            raise UsageError(
                "others can read the file with the login answer",
                where=str(path),
                remedy=f"chmod 600 {path}",
            )
        return text.split("\n", 1)[0]

    return answer
