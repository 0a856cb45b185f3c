"""What went wrong on the login node, told to a person."""

from __future__ import annotations

from pathlib import PurePosixPath

from spinstack.console import known_errors
from spinstack.errors import SpinstackError
from spinstack.platforms.base import Platform
from spinstack.remote import lock_steps
from spinstack.remote.owner import Owner, parse_owner
from spinstack.transport.script import KILLED, TIME_IS_UP, StepResult, tail

# What it means when a step fails that must not, whatever it printed: by the step's name.
MUST = {
    "enter the release": ("the release is not there", "run the same command again"),
    "uid": ("the login node does not work", "see the centre's status page"),
    "lock still ours": (
        "the lock of this change was broken by somebody, who may be changing the stack now",
        "talk to them; then see `invoke status`, and run it again",
    ),
}


def must_not_fail(step: StepResult, where: str) -> SpinstackError:
    """A step's failure that ends what is done; its name is one of MUST."""
    what, remedy = MUST[step.name]
    if step.name == "lock still ours":
        return LockLost(what, where=where, remedy=remedy)
    code = f"exit code {step.code}" + (": killed" if step.code == KILLED else "")
    return SpinstackError(f"{what} ({code})", where=where, remedy=remedy, details=tail(step.output))


def refused(
    step: StepResult, platform: Platform, what: str, where: str, seconds: int
) -> SpinstackError | None:
    """What the platform complained of, by its exit code or in its log; None if it did not.

    `what`: what did not happen; `seconds`: the time that the step had.
    """
    told = platform.complaints(step.output, errors_only=True)
    if step.ok and not told:
        return None
    if step.code == TIME_IS_UP:
        what = f"{what}: {platform.program} did not finish within {seconds} s"
    return SpinstackError(
        what,
        where=where,
        remedy="see `invoke status`; run the same command again when the cause is mended",
        details="\n".join(told) or tail(step.output) or f"exit code {step.code}, no output",
    )


class NotWritten(SpinstackError):
    """A file on the global file system could not be written."""


def not_written(output: str, where: str, what: str) -> NotWritten:
    """Why something could not be written on the global file system."""
    known = known_errors.find(output, "remote-write", {"what": what})
    return NotWritten(
        known.cause if known else f"{what} could not be written",
        where=where,
        remedy=known.remedy if known else "see what the login node says, and run it again",
        details=tail(output),
    )


class LockLost(SpinstackError):
    """Our lock was broken; whatever is there now may be somebody else's."""


class Changed(SpinstackError):
    """Between the look and the lock somebody deployed, or began or ended an upgrade."""

    def __init__(self, root: PurePosixPath) -> None:
        super().__init__(
            "somebody has changed the stack just now",
            where=str(root),
            remedy="see `invoke history`, then run it again",
        )


class Locked(SpinstackError):
    """Somebody else is changing the stack; `owner` says who, if it could be read."""

    def __init__(self, owner: Owner | None, root: PurePosixPath) -> None:
        super().__init__(
            f"{owner.told() if owner else 'somebody'} is at it: {owner.doing if owner else '?'}",
            where=str(root / "lock"),
            remedy="wait until that is done (`invoke journal` looks on); if it is dead for "
            "certain: invoke unlock"
            if owner and owner.job
            else "wait until that is done; if it is dead for certain: invoke unlock",
        )
        self.owner = owner


def not_locked(output: str, root: PurePosixPath) -> SpinstackError:
    """Why the lock could not be taken."""
    if lock_steps.TAKEN in output.splitlines():
        return Locked(parse_owner(output), root)
    return not_written(output, str(root), "the lock")
