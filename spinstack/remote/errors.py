"""What went wrong on the login node, as errors for a person."""

from __future__ import annotations

import shlex
from pathlib import PurePosixPath

from spinstack.console import known_errors
from spinstack.errors import SpinstackError
from spinstack.platforms.base import Platform
from spinstack.remote import lock_steps
from spinstack.remote.owner import Owner, parse_owner
from spinstack.text import split_lines
from spinstack.transport.script import KILLED, TIME_IS_UP, StepResult, tail

# By step: what it means, whatever it printed, when one fails that must not, and the remedy.
MUST = {
    "enter the release": (
        "the release's directory is missing or can't be entered",
        "run the same command again",
    ),
    "uid": ("the login node is not working", "see the centre's status page"),
    "lock still ours": (
        "somebody has broken the lock of this change, and may be changing the stack now",
        "ask them, see `invoke status`, then run the command again",
    ),
}


def must_not_fail(step: StepResult, where: str) -> SpinstackError:
    """The error for a failed step that ends everything; its name is one of MUST."""
    what, remedy = MUST[step.name]
    if step.name == "lock still ours":
        return LockLost(what, where=where, remedy=remedy)
    code = f"exit code {step.code}" + (": killed" if step.code == KILLED else "")
    return SpinstackError(f"{what} ({code})", where=where, remedy=remedy, details=tail(step.output))


def refused(
    step: StepResult, platform: Platform, what: str, where: str, seconds: int
) -> SpinstackError | None:
    """What the platform complained about, by its exit code or in its log; None if it did not.

    `what`: what did not happen; `seconds`: the time limit of the step.
    """
    told = platform.complaints(step.output, errors_only=True)
    if step.ok and not told:
        return None
    if step.code == TIME_IS_UP:
        what = f"{what}: {platform.program} did not finish within {seconds} s"
    return SpinstackError(
        what,
        where=where,
        remedy="fix the cause (see `invoke status`), then run the same command again",
        details="\n".join(told) or tail(step.output) or f"exit code {step.code}, no output",
    )


class NotWritten(SpinstackError):
    """A file on the global file system could not be written."""


def not_written(output: str, where: str, what: str) -> NotWritten:
    """Why something could not be written to the global file system."""
    known = known_errors.find(output, "remote-write", {"what": what})
    error = NotWritten(
        known.cause if known else f"{what} could not be written",
        where=where,
        remedy=known.remedy
        if known
        else "fix what the login node reports, then run the command again",
        details=tail(output),
    )
    error.explained = known is not None
    return error


class LockLost(SpinstackError):
    """Our lock was broken; whatever is there now may be somebody else's."""


class ReleaseGone(SpinstackError):
    """What a release consists of is not kept any more."""


class Changed(SpinstackError):
    """Between our look and our lock somebody deployed, or began or ended an upgrade."""

    def __init__(self, place: str) -> None:
        super().__init__(
            "somebody has just changed the stack",
            where=place,
            remedy="see `invoke history`, then run the command again",
        )


class Locked(SpinstackError):
    """Somebody else is changing the stack; `owner`: who, if that could be read. `expires`: seconds
    after which the lock of somebody who is gone ends by itself; 0 if it does not."""

    def __init__(self, owner: Owner | None, place: str, expires: int = 0) -> None:
        doing = f" ({owner.doing})" if owner and owner.doing else ""
        follow = " (`invoke journal` follows it)" if owner and owner.job and not expires else ""
        remedy = f"wait until it is done{follow}; if it is certainly dead, run `invoke unlock`"
        if expires:
            remedy = (
                f"wait until it is done; if it died, its lock ends by itself within {expires} s"
            )
        super().__init__(
            f"locked by {owner.told() if owner else 'somebody'}{doing}",
            where=place,
            remedy=remedy,
        )
        self.owner = owner


def not_locked(output: str, root: PurePosixPath) -> SpinstackError:
    """Why the lock could not be taken."""
    for line in split_lines(output):
        word, _, rest = line.partition(" ")
        if word == lock_steps.UNSAFE:
            kind, _, path = rest.partition(" ")
            return _unsafe(kind, path)
    if lock_steps.TAKEN in split_lines(output):
        return Locked(parse_owner(output), str(root / "lock"))
    return not_written(output, str(root), "the lock")


def _unsafe(kind: str, path: str) -> SpinstackError:
    if kind == "l":
        return SpinstackError(
            "the stack's directory could lead anywhere: a link in it belongs to somebody else",
            where=path,
            remedy="ask them to remove it, or set project_dir to another directory",
        )
    return SpinstackError(
        "the stack's directory can be changed by everybody",
        where=path,
        remedy=f"chmod o-w {shlex.quote(path)}",
    )
