"""Ctrl-C while a change is followed: the change goes on by itself, or is taken back, as whoever
pressed it says.
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
    """Ctrl-C in the middle of a change; `doing`: what a person calls the change."""

    session: Session
    remote: RemoteStack
    following: Follow
    doing: str

    def settle(self) -> int | None:
        """Take the change back if that is wanted, following it to its end; the exit code of that.

        Raises SpinstackError where it never began or goes on without us, NotWritten where it
        could not be told to stop, ConnectionLost.
        """
        if not self.following.started:
            raise self._never_began()
        if not self._is_unwanted():
            raise self._left_running()
        try:
            return self._take_back()
        except KeyboardInterrupt:
            raise self._left_running("it is being taken back there") from None

    def _never_began(self) -> SpinstackError:
        with suppress(SpinstackError):
            self.remote.unlock()
        error = SpinstackError("stopped by Ctrl-C", where=self.session.settings.stack)
        error.now = "nothing that runs was touched"
        return error

    def _is_unwanted(self) -> bool:
        """Ask; while somebody thinks about it nothing is made final there. Without a person it
        goes on."""
        if not sys.stdin.isatty():
            return False
        with self.session.console.paused():
            try:
                with suppress(SpinstackError):
                    self.remote.hold(self.following.id)
                print(f"\nThe {self.doing} goes on on the login node.", file=sys.stderr)
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
            error.now = f"the {self.doing} goes on there: it could not be told to stop"
            raise
        code = self.remote.follow(self.following)
        if self.following.journal.outcome == journal.DONE:
            self.session.console.warn("it was over already: `invoke rollback` takes it back")
        return code

    def _left_running(self, now: str = "") -> SpinstackError:
        return left_running(self.doing, self.session.settings.stack, now)


def _wants_it_back() -> bool:
    """Ask until the answer can be understood."""
    while True:
        answer = input("Leave it running, or take it back? [leave/back] ").strip().lower()
        if answer in ("b", "back", "take it back", "roll back", "rollback"):
            return True
        if answer in ("", "l", "leave", "leave it running"):
            return False
