"""The steps of a deploy that need no login: check, build, push."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spinstack import finding, preflight
from spinstack.errors import SpinstackError

if TYPE_CHECKING:
    from spinstack.session import Session


def ask_if_protected(session: Session, *, yes: bool) -> None:
    """A protected destination must be named with --to, or be agreed to."""
    destination = session.destination
    if destination.protected and not session.destination_was_named:
        stack = session.settings.stack
        session.confirm(f"This changes {stack} at {destination.name}. Go on?", yes=yes)


def check(session: Session) -> None:
    """Raises SpinstackError if a rule forbids this deploy."""
    with session.console.step("check") as step:
        findings = preflight.check(session.settings, session.destination, session.stack)
        wrong = finding.errors(findings)
        if wrong:
            raise SpinstackError(
                f"{len(wrong)} thing{'s' if len(wrong) > 1 else ''} in the stack would not work",
                where=str(session.directory),
                remedy=f"mend {'them' if len(wrong) > 1 else 'it'}; nothing was changed anywhere",
                details="\n".join(found.line() for found in findings),
            )
        step.done(f"{len(session.stack.service_names)} services")
    for found in findings:
        session.console.warn(found.line())


def build(session: Session, *, force: bool = False) -> None:
    """Build each image whose content has no image yet."""
    from spinstack import images

    for image in session.settings.images:
        reference = session.image_reference(image)
        with session.console.step(f"build {image.key}") as step:
            outcome = images.build(
                session.runner,
                session.engine,
                session.image_spec(image),
                reference,
                on_line=step.detail,
                force=force,
            )
            step.done(f"{_short(reference)}{'' if outcome.built else ' (there already)'}")


def push(session: Session) -> None:
    """Push each image that the registry does not have yet."""
    from spinstack import images

    for image in session.settings.images:
        reference = session.image_reference(image)
        with session.console.step(f"push {image.key}") as step:
            outcome = images.push(session.runner, session.engine, reference, on_line=step.detail)
            step.done(f"{_short(reference)}{'' if outcome.pushed else ' (there already)'}")
        if outcome.replaced:
            session.console.warn(
                f"{reference} stood for another image before: nodes that pulled that one keep it"
            )


def _short(reference: str) -> str:
    return reference.rsplit("/", 1)[-1]
