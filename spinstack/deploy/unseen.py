"""Errors for a change whose end was not seen from here: left running, cut off, or silent.

`doing` is what a person calls the change. A deploy may be run again whatever became of it; what
goes back one release would go back two.
"""

from __future__ import annotations

from spinstack.errors import SpinstackError
from spinstack.remote import changes
from spinstack.remote.journal import Journal
from spinstack.transport.login_node import ConnectionLost
from spinstack.transport.script import tail

LEFT_RUNNING = "left running on the login node"


class Silent(SpinstackError):
    """A change whose journal ended before it did."""


def left_running(doing: str, stack: str, now: str = "") -> SpinstackError:
    """After Ctrl-C. `now`: how things stand, if it does not just go on."""
    also = ", and so does `invoke deploy`" if doing == "deploy" else ""
    error = SpinstackError(LEFT_RUNNING, where=stack, remedy=f"`invoke journal` looks on{also}")
    error.now = now or f"the {doing} comes to its end there, good or bad, by itself"
    return error


def cut_off(lost: ConnectionLost, doing: str, *, started: bool) -> ConnectionLost:
    """The lost connection, with what that means for a change that may have `started`."""
    if not started:
        lost.now = "unknown: the connection ended before anybody could look"
        lost.remedy = "run the same command again: it goes on where this one was"
        return lost
    lost.now = f"the {doing} goes on there by itself"
    lost.remedy = (
        "run the same command again: it looks on, or finishes it"
        if doing == "deploy"
        else "`invoke journal` looks on; then see `invoke status`"
    )
    return lost


def silent(code: int | None, told: Journal, doing: str, host: str) -> Silent:
    """A journal without an end. `code`: that of the step that followed it."""
    step = told.steps[-1].name if told.steps else "the first step"
    said = told.steps[-1].output if told.steps else "\n".join(told.between)
    what = "the change gives no sign of life any more"
    if code != changes.SILENT:
        what = "the change could not be looked on at to its end"
    error = Silent(
        f"{what}, last seen during {step!r}",
        where=host,
        remedy="run the same command again: it finishes it"
        if doing == "deploy"
        else "`invoke status` tells what it left",
        details=tail(said),
    )
    error.now = "unknown: its login node may have been restarted"
    return error
