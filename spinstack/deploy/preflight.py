"""The check of a deploy, which needs no login."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spinstack.checks import stack
from spinstack.config import release_files
from spinstack.errors import SpinstackError
from spinstack.rules import finding

if TYPE_CHECKING:
    from spinstack.session import Session


def check(session: Session) -> None:
    """Raises SpinstackError if the directory is too large, or a rule forbids this deploy."""
    with session.console.step("check") as step:
        # Before all files are read for the names of the images.
        release_files.check_size(session.directory)
        findings = stack.check(
            session.settings, session.destination, session.stack, session.platform
        )
        wrong = finding.errors(findings)
        if wrong:
            raise SpinstackError(
                f"{len(wrong)} problem{'s' if len(wrong) > 1 else ''} in the stack; fix "
                f"{'them' if len(wrong) > 1 else 'it'} first (nothing was changed)",
                where=str(session.directory),
                remedy="each line above says how; `invoke check --explain RULE` says why",
                details="\n".join(found.line() for found in findings),
            )
        step.done(f"{len(session.stack.service_names)} services")
    for found in findings:
        session.console.warn(found.line())
