"""Errors for a change whose end was not seen from here: left running, cut off, or silent.

`doing` is what people call the change. A deploy can safely be run again, whatever became of it;
a rollback that is run again would go back two releases.
"""

from __future__ import annotations

from spinstack.errors import SpinstackError
from spinstack.remote import changes
from spinstack.remote.journal import Journal
from spinstack.transport.login_node import ConnectionLost
from spinstack.transport.script import tail

LEFT_RUNNING = "left running on the login node"


class Silent(SpinstackError):
    """The journal of a change stopped before the change ended."""


def left_running(doing: str, stack: str, now: str = "") -> SpinstackError:
    """After Ctrl-C. `now`: how things stand, unless it simply continues."""
    error = SpinstackError(LEFT_RUNNING, where=stack, remedy="run `invoke journal` to follow it")
    error.now = now or f"the {doing} finishes on its own, whether it succeeds or fails"
    return error


def left_as_it_is(doing: str, stack: str) -> SpinstackError:
    """After Ctrl-C, of a change that nobody carries on."""
    error = SpinstackError(
        f"left the {doing} as it is",
        where=stack,
        remedy="run `invoke deploy` to finish it, or `invoke rollback` to take it back",
    )
    error.now = "Kubernetes goes on with what it was told; nobody looks after it"
    return error


def cut_off(
    lost: ConnectionLost, doing: str, *, started: bool, detached: bool = True
) -> ConnectionLost:
    """The lost connection, with what that means for a change that may have `started`, and that
    goes on by itself if it is `detached`."""
    if started and not detached:
        lost.now = f"the {doing} was left as it is, and nobody continues it"
        lost.remedy = "run the same command again, which finishes it, or `invoke rollback`"
        return lost
    if not started:
        lost.now = "whether anything changed is unknown"
        lost.remedy = "run the same command again; it resumes from there"
        return lost
    lost.now = f"the {doing} continues on the login node"
    lost.remedy = (
        "run the same command again; it follows the deploy, or finishes it"
        if doing == "deploy"
        else "run `invoke journal` to follow it, then `invoke status`"
    )
    return lost


def silent(code: int | None, told: Journal, doing: str, host: str) -> Silent:
    """A journal without an end. `code`: exit code of the step that followed it."""
    step = told.steps[-1].name if told.steps else "the first step"
    said = told.steps[-1].output if told.steps else "\n".join(told.between)
    what = f"the {doing} has stopped responding"
    if code != changes.SILENT:
        what = f"the {doing} could not be followed to its end"
    error = Silent(
        f"{what}, last seen during {step!r}",
        where=host,
        remedy="run the same command again; it finishes the deploy"
        if doing == "deploy"
        else "run `invoke status` to see how things stand",
        details=tail(said),
    )
    error.now = "the login node may have been restarted"
    return error
