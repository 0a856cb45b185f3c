"""The steps of a deploy that need no login: check, build, push."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
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


class ImagesUnderWay:
    """The images of a stack on their way into the registry."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._digests: dict[str, str] | None = None

    def wait(self) -> dict[str, str]:
        """The manifests' digests: variable in the compose file -> `sha256:…` ("" unknown).

        Comes back when the registry has every image. Raises the first SpinstackError.
        """
        if self._digests is None:
            build(self._session)
            self._digests = push(self._session)
        return self._digests


@contextmanager
def images_under_way(session: Session) -> Iterator[ImagesUnderWay]:
    """Bring all images of the stack into the registry while the caller does other things.

    Leaving the context by an exception stops what still runs; leaving it otherwise waits.
    """
    images = ImagesUnderWay(session)
    yield images
    images.wait()


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


def push(session: Session) -> dict[str, str]:
    """Push each image that the registry does not have yet; digests as `ImagesUnderWay.wait`."""
    from spinstack import images

    digests = {}
    for image in session.settings.images:
        reference = session.image_reference(image)
        with session.console.step(f"push {image.key}") as step:
            outcome = images.push(session.runner, session.engine, reference, on_line=step.detail)
            step.done(f"{_short(reference)}{'' if outcome.pushed else ' (there already)'}")
        digests[image.variable] = outcome.digest
        if outcome.replaced:
            session.console.warn(
                f"{reference} stood for another image before: nodes that pulled that one keep it"
            )
    return digests


def _short(reference: str) -> str:
    return reference.rsplit("/", 1)[-1]
