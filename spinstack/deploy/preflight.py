"""What is looked at before a deploy: the stack's files, its secrets and volumes, and what it
mounts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spinstack.checks import stack
from spinstack.config import release_files
from spinstack.errors import SpinstackError
from spinstack.rules import finding

if TYPE_CHECKING:
    from spinstack.rules.finding import Finding
    from spinstack.session import Session
    from spinstack.transport.login_node import LoginNode


def check(session: Session) -> None:
    """Without a login. Raises SpinstackError if the directory is too large, or a rule forbids this
    deploy."""
    with session.console.step("check") as step:
        # Before all files are read for the names of the images.
        release_files.check_size(session.directory)
        findings = stack.check(
            session.settings, session.destination, session.stack, session.platform
        )
        _refuse(findings, "in the stack", str(session.directory))
        count = len(session.stack.service_names)
        step.done(f"{count} service{'' if count == 1 else 's'}")
    for found in findings:
        session.console.warn(found.line())


def check_kept(session: Session, node: LoginNode) -> None:
    """Raises SpinstackError if a secret or a volume is missing that containers can't start
    without."""
    from spinstack.checks import survey

    found = survey.absent(node, session.destination, session.platform, session.stack)
    _refuse(found, "with what the containers need", session.where)


def check_mounts(session: Session, node: LoginNode) -> None:
    """Where pods that can't have what they mount hang until the time is up. Raises SpinstackError
    if a node can't reach it, or a container may not use it."""
    from spinstack.checks import run as checks_run

    to = session.destination
    if to.kubernetes is None or not checks_run.mounts(session.stack, to):
        return
    if not to.on_laptop:
        _refuse(checks_run.walked(node, to, session.stack), "in what is mounted", to.host)
        return
    with session.file_node(asking=False) as files:
        if files:
            _refuse(_walked(session, files), "in what is mounted", to.host)
        elif to.has_login_node:
            session.console.note(
                f"{checks_run.UNSEEN}: no login at {to.host} is open "
                f"(`invoke check --to {to.name}` logs in and looks)"
            )


def _walked(session: Session, files: LoginNode) -> list[Finding]:
    """Nothing if the login node does not answer: the cluster does without it."""
    from spinstack.checks import run as checks_run

    try:
        return checks_run.walked(files, session.destination, session.stack)
    except SpinstackError as error:
        session.console.warn(f"{checks_run.UNSEEN}: {error.what}")
        return []


def _refuse(findings: list[Finding], place: str, where: str) -> None:
    wrong = finding.errors(findings)
    if wrong:
        raise SpinstackError(
            f"{len(wrong)} problem{'s' if len(wrong) > 1 else ''} {place}; fix "
            f"{'them' if len(wrong) > 1 else 'it'} first (nothing was changed)",
            where=where,
            remedy="each line above says how; `invoke check --explain RULE` says why",
            details="\n".join(found.line() for found in findings),
        )
