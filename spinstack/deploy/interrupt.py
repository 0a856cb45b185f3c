"""Ctrl-C while following a change: the change continues on its own, or is rolled back, whichever
the person who pressed it chooses.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from spinstack.deploy.unseen import left_running
from spinstack.errors import SpinstackError
from spinstack.remote import journal
from spinstack.remote.errors import NotWritten

if TYPE_CHECKING:
    from spinstack.remote.follow import Follow
    from spinstack.remote.stack import RemoteStack
    from spinstack.session import Session


@dataclass(frozen=True)
class Interrupt:
    """Ctrl-C in the middle of a change; `doing`: what people call the change."""

    session: Session
    remote: RemoteStack
    following: Follow
    doing: str

    def settle(self) -> int | None:
        """Roll the change back if that is wanted, and follow it to its end. Returns the exit code
        of the follow.

        Raises SpinstackError if it never began or continues without us, NotWritten if it could
        not be told to stop, ConnectionLost.
        """
        if not self.following.started:
            raise self._never_began()
        if not self._is_unwanted():
            raise self._left_running()
        try:
            return self._take_back()
        except KeyboardInterrupt:
            raise self._left_running("it is being rolled back") from None

    def _never_began(self) -> SpinstackError:
        with suppress(SpinstackError):
            self.remote.unlock()
        error = SpinstackError("stopped by Ctrl-C", where=self.session.settings.stack)
        error.now = "nothing that is running was touched"
        return error

    def _is_unwanted(self) -> bool:
        """Ask; while they think about it, nothing is made final on the login node. Without a
        terminal the change continues."""
        if not sys.stdin.isatty():
            return False
        with self.session.console.paused():
            try:
                with suppress(SpinstackError):
                    self.remote.hold(self.following.id)
                print(f"\nThe {self.doing} continues on the login node.", file=sys.stderr)
                back = _wants_it_back()
            except (KeyboardInterrupt, EOFError):
                back = False
        if not back:
            with suppress(SpinstackError, KeyboardInterrupt):
                self.remote.go_on(self.following.id)
        return back

    def _take_back(self) -> int | None:
        try:
            self.remote.ask_to_stop(self.following.id)
        except NotWritten as error:
            error.now = f"the {self.doing} could not be told to stop, and continues"
            raise
        code = self.remote.follow(self.following)
        if self.following.journal.outcome == journal.DONE:
            self.session.console.warn(
                f"the {self.doing} had already finished; `invoke rollback` undoes it"
            )
        return code

    def _left_running(self, now: str = "") -> SpinstackError:
        return left_running(self.doing, self.session.settings.stack, now)


def _wants_it_back() -> bool:
    """Ask until there is an answer that makes sense."""
    while True:
        answer = input("Leave it running, or roll it back? [leave/back] ").strip().lower()
        if answer in ("b", "back", "take it back", "roll back", "rollback"):
            return True
        if answer in ("", "l", "leave", "leave it running"):
            return False
