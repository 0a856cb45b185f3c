"""Ctrl-C while following a change: the person who pressed it chooses what becomes of it.

A job on a login node continues on its own, or is rolled back. A change that this process makes
itself is continued, left as it is, or rolled back.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from spinstack.deploy.unseen import left_as_it_is, left_running
from spinstack.errors import SpinstackError
from spinstack.remote import journal
from spinstack.remote.errors import NotWritten

if TYPE_CHECKING:
    from spinstack.remote.follow import Follow
    from spinstack.remote.stack import RemoteStack
    from spinstack.session import Session

CONTINUE, LEAVE, BACK = "continue", "leave", "back"
_BACK_WORDS = ("b", "take it back", "roll back", "rollback")
# The answers to a question, each with other words for it; an empty one is the harmless one.
THERE = {LEAVE: ("", "l", "leave it running"), BACK: _BACK_WORDS}
HERE = {CONTINUE: ("", "c", "go on"), LEAVE: ("l",), BACK: _BACK_WORDS}


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
        if not self.remote.lives_on:
            return self._settle_here()
        if not self._is_unwanted():
            raise self._left_running()
        try:
            return self._take_back()
        except KeyboardInterrupt:
            raise self._left_running("it is being rolled back") from None

    def _settle_here(self) -> int | None:
        """The change stands still while its maker is asked. Pressed once more, or without a
        terminal, it is left as it is."""
        try:
            answer = self._asked_here()
            if answer == LEAVE:
                raise KeyboardInterrupt
            if answer == BACK:
                return self._take_back()
            return self.remote.follow(self.following)
        except KeyboardInterrupt:
            with suppress(SpinstackError, KeyboardInterrupt):
                self.remote.leave()
            raise left_as_it_is(self.doing, self.session.settings.stack) from None

    def _asked_here(self) -> str:
        if not sys.stdin.isatty():
            return LEAVE
        with self.session.console.paused():
            print(f"\nThe {self.doing} stands still.", file=sys.stderr)
            try:
                return _chosen("Continue, leave it as it is, or roll it back?", HERE)
            except EOFError:
                return LEAVE

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
                back = _chosen("Leave it running, or roll it back?", THERE) == BACK
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


def _chosen(question: str, choices: Mapping[str, tuple[str, ...]]) -> str:
    """Ask until there is an answer that makes sense."""
    while True:
        answer = input(f"{question} [{'/'.join(choices)}] ").strip().lower()
        for choice, words in choices.items():
            if answer in (choice, *words):
                return choice
