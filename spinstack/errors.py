"""What a person sees when something goes wrong: what failed, where, what to do.

Every failure that a person can cause or mend is a `SpinstackError`; anything else is a
defect of spinstack and may show its traceback. Exit codes: 0 done, 1 failed, 2 wrong use.
"""

from __future__ import annotations


class SpinstackError(Exception):
    """A failure told in three lines.

    `what`: one line, what failed. `where`: the file and line, host, service or key it
    concerns (may be empty). `remedy`: what to do now. `details`: lines shown as they are
    before the three (the tail of a log, the output of a command); never a secret.
    """

    exit_code = 1
    # How things stand after it, where that is not plain: "the version before runs again".
    now = ""
    # Set where `what` and `remedy` were made from `details`: no need to explain those again.
    explained = False

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
        """The message as a person reads it, without the details."""
        lines = [f"error: {self.what}" + (f"; {self.now}" if self.now else "")]
        if self.where:
            lines.append(f"  where: {self.where}")
        if self.remedy:
            lines.append(f"  fix:   {self.remedy}")
        return lines

    def __str__(self) -> str:
        return "\n".join(self.lines())


class UsageError(SpinstackError):
    """The command was typed wrongly, or a setting is missing: nothing was tried."""

    exit_code = 2


class Stopped(SpinstackError):
    """A program was ended, or not begun, because it is not wanted any more."""
