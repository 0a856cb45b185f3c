"""How a command of the client ends before its time."""

from __future__ import annotations


class Failure(Exception):
    """Ends the command: one log line of level fatal on stdout, exit code 1."""


class Exit(Exception):
    """Ends the command without a word more; `code` is the exit code."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class UsageFailure(Exception):
    """A flag that is unknown or lacks its value; `command` is "" for the global flags."""

    def __init__(self, message: str, command: str = "") -> None:
        super().__init__(message)
        self.command = command
