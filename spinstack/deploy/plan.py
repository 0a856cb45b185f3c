"""The state machine of an upgrade, in one step or two: what a deploy may do now.

Where a platform upgrades in two steps, one may have been left open. Rancher 1 itself allows
`up --upgrade` in the states active and inactive, silently confirms an older upgrade when another
one begins, and does not remember who began it. This module decides before anything is touched.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

from spinstack.errors import SpinstackError, UsageError
from spinstack.platforms.base import Platform
from spinstack.remote.found import Found
from spinstack.remote.owner import Owner


class Plan(Enum):
    """What comes next for a stack."""

    CREATE = "create"
    UPGRADE = "upgrade"
    # We began an upgrade to exactly these files, even if on another laptop, and it was cut off:
    # resume it.
    RESUME = "resume"
    # Exactly these files are already running, and healthy.
    NOTHING = "nothing"


def must_have_two_steps(platform: Platform) -> None:
    """For what ends an upgrade, or leaves it open. Raises UsageError where it has no end but its
    own."""
    if not platform.two_steps:
        raise UsageError(
            f"{platform.title} has no second step: an upgrade there replaces what runs at once",
            remedy="run `invoke deploy`; `invoke rollback` goes back to the release before",
        )


def plan(found: Found, content: str, me: Owner, images: Mapping[str, str]) -> Plan:
    """What a deploy of files with this content hash has to do now. `images`: service → the image
    that it should run.

    Raises LeftUnfinished if an upgrade to other files, or by somebody else, is pending.
    """
    if not found.states:
        return Plan.CREATE
    if not found.unconfirmed:
        return Plan.NOTHING if _runs(found, content, images) else Plan.UPGRADE
    left = found.unfinished
    if left and left.who == me.who and left.release.rsplit("-", 1)[-1] == content:
        return Plan.RESUME
    raise LeftUnfinished(found)


def _runs(found: Found, content: str, images: Mapping[str, str]) -> bool:
    """Whether the last confirmed release has this content, nothing was begun since, and all its
    services are up with their images."""
    running = {state.name: state.image for state in found.states if state.up}
    same = found.current.rsplit("-", 1)[-1] == content and running.keys() == images.keys()
    return (
        same
        and not found.unfinished
        and all(_is(running[name], image) for name, image in images.items())
    )


def _is(running: str, wanted: str) -> bool:
    """Whether it is the image that is wanted. A deploy may have added its digest."""
    return running == wanted or ("@" not in wanted and running.startswith(f"{wanted}@"))


class LeftUnfinished(SpinstackError):
    """An upgrade was begun and neither confirmed nor rolled back; somebody has to choose."""

    def __init__(self, found: Found) -> None:
        left = found.unfinished
        by = f" by {left.told()}" if left else ""
        names = ", ".join(found.unconfirmed)
        super().__init__(
            f"an upgrade of {names} was left unfinished{by}",
            where=f"release {left.release}" if left else "not begun with spinstack",
            remedy="look at the site, then run `invoke confirm` to keep it or `invoke rollback` "
            "to undo it",
        )
