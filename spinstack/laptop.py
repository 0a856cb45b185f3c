"""The steps of a deploy that need no login: check, build, push."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from spinstack import finding, preflight
from spinstack.errors import SpinstackError

if TYPE_CHECKING:
    from spinstack.image_work import ImageWork
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


@contextmanager
def images_under_way(session: Session) -> Iterator[ImageWork]:
    """Bring all images of the stack into the registry while the caller does other things.

    `wait()` of what it gives comes back when they are there, with the manifests' digests:
    variable in the compose file -> `sha256:…` ("" where nobody told); it raises the first
    SpinstackError. Leaving the context by an exception, Ctrl-C too, stops builds and pushes;
    leaving it otherwise waits for them.
    """
    from spinstack.image_work import ImageWork

    work = ImageWork(session)
    with _stopped_by_exceptions(work):
        yield work


def build(session: Session, *, force: bool = False) -> None:
    """Build each image whose content has no image on this machine, side by side."""
    from spinstack.image_work import ImageWork

    with _stopped_by_exceptions(ImageWork(session, pushes=False, force=force)):
        pass


def push(session: Session) -> dict[str, str]:
    """Push each image that the registry does not have yet, side by side; their digests as
    `images_under_way` tells them."""
    from spinstack.image_work import ImageWork

    work = ImageWork(session, builds=False)
    with _stopped_by_exceptions(work):
        return work.wait()


@contextmanager
def _stopped_by_exceptions(work: ImageWork) -> Iterator[None]:
    """The work, begun and waited for."""
    try:
        work.start()
        yield
        work.wait()
    except BaseException:
        work.give_up()
        raise
