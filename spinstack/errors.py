"""What a person sees when something goes wrong: what failed, where, what to do.

Every failure that a person can cause or fix is a `SpinstackError`; anything else is a bug in
spinstack and may show its traceback. Exit codes: 0 done, 1 failed, 2 wrong usage.
"""

from __future__ import annotations


class SpinstackError(Exception):
    """A failure in three lines.

    `what`: one line, what failed. `where`: the file and line, host, service or key that it
    concerns (may be empty). `remedy`: what to do now. `details`: lines shown as they are above
    the three (the end of a log, the output of a command); never a secret.
    """

    exit_code = 1
    # How things stand now, where that is not obvious: "the previous version is running again".
    now = ""
    # Set if `what` and `remedy` were made from `details`, which then need no explanation.
    explained = False
    # Why it failed, where that is known; `remedy` is for that, then.
    cause = ""

    def __init__(
        self,
        what: str,
        *,
        where: str = "",
        remedy: str = "",
        details: str = "",
    ) -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.remedy = remedy
        self.details = details

    def lines(self) -> list[str]:
        """The message as it is printed, without the details."""
        lines = [f"error: {self.what}" + (f"; {self.now}" if self.now else "")]
        if self.where:
            lines.append(f"  where: {self.where}")
        if self.remedy:
            lines.append(f"  fix:   {self.remedy}")
        return lines

    def __str__(self) -> str:
        return "\n".join(self.lines())


class UsageError(SpinstackError):
    """A mistyped command or a missing setting: nothing was tried."""

    exit_code = 2


class Stopped(SpinstackError):
    """A program was ended, or not started, because it is no longer needed."""
