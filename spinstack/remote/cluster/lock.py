"""The lock of a stack in its cluster: taken, kept while it is needed, given back or broken."""

from __future__ import annotations

import time
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from spinstack.platforms.base import Garbled
from spinstack.platforms.kubernetes.cluster import answers, lease
from spinstack.platforms.kubernetes.cluster.answers import Answer
from spinstack.remote.cluster import held
from spinstack.remote.cluster.held import HeldLease
from spinstack.remote.errors import Changed, Locked, LockLost
from spinstack.transport.command import Command
from spinstack.transport.script import Step, StepResult

if TYPE_CHECKING:
    from spinstack.config.kubernetes import Cluster
    from spinstack.platforms.client import StackClient
    from spinstack.remote.cluster.seen import SeenStack
    from spinstack.remote.owner import Owner

# How often the lock is read anew when somebody else was faster.
TRIES = 5
# Seconds to listen to a holder of the lock, by our own clock: what the others' say is no matter.
LISTEN_SECONDS = lease.DURATION


class StackLock:
    """`lost`: somebody has taken the lock that we held; nothing may be changed any more."""

    def __init__(self, client: StackClient, cluster: Cluster, seen: SeenStack) -> None:
        self._client, self._cluster, self._seen = client, cluster, seen
        self._held: HeldLease | None = None
        # The version of the lock whose holder was listened to, and gave no sign of life.
        self._silent = ""
        self.lost = False

    @property
    def place(self) -> str:
        return f"{self._cluster.where}, lease {lease.name(self._client.stack)}"

    def ask(self, name: str, command: Command) -> Answer:
        """Run a command about single objects. Raises SpinstackError for any other failure than
        those that an answer tells."""
        return self.answered(self._client.run(Step(name, (command,), must=False))[name])

    def answered(self, step: StepResult) -> Answer:
        """The same of a command that has run."""
        what = f"{self._client.platform.title} refused to {step.name}"
        try:
            answer = answers.read(step.output)
        except Garbled:
            raise self._client.failure(step, what) from None
        if not step.ok and answer.ok:
            raise self._client.failure(step, what)
        return answer

    def take(self, owner: Owner) -> None:
        """Take the lock, or hand the one that is ours over. Raises Locked if somebody has it, even
        if they seem to be dead; Changed if somebody had ours meanwhile."""
        if self._held is None:
            self._take(owner)
        elif not self._held.hand_over(owner):
            self._held = None
            holder = held.holder(self._seen.kept().lock)
            raise self._locked(holder) if holder else Changed(self._cluster.where)

    def _take(self, owner: Owner) -> None:
        """In the version that was read last: what was read with it holds then."""
        known = self._seen.known
        for _ in range(TRIES):
            if (known is None or held.holder(known.lock)) and not self._client.node.dry:
                known = self._seen.kept()
            found = known.lock if known else None
            holder = held.holder(found)
            if holder:
                raise self._locked(holder)
            self._held = held.take(self.ask, self._cluster, self._client.stack, found, owner)
            if self._held:
                self.lost = False
                return
            known = None
        raise self._locked(None)

    def _locked(self, holder: Owner | None) -> Locked:
        return Locked(holder, self.place, lease.DURATION)

    def must_be_ours(self, *, now: bool, sure: bool) -> None:
        """Raises LockLost if somebody has taken our lock. The server is only asked when it is time
        for a sign of life, unless it has to be `now`. `sure`: raises SpinstackError, too, if there
        was none for that long."""
        if self._held and not (self._held.renew_now() if now else self._held.renew(sure=sure)):
            self._held, self.lost = None, True
        if self.lost:
            raise LockLost(
                "somebody has taken the lock of this change, and may be changing the stack now",
                where=self.place,
                remedy="ask them, see `invoke status`, then run the command again",
            )

    def give_back(self) -> None:
        """If it is ours."""
        mine, self._held = self._held, None
        self._seen.forget()
        if mine:
            mine.release()

    def abandon(self) -> None:
        """Without giving it back, which can't be done or is done already: it ends by itself."""
        self._held = None

    def break_(self, owner: Owner) -> bool:
        """Release the owner's lock. Whether it was still there. Raises Locked if it is somebody
        else's by now, or if its holder, who was silent, has given a sign of life since."""
        found = self._seen.kept().lock
        now = held.holder(found)
        if found is None or now is None:
            return False
        if owner.nonce and now.nonce != owner.nonce:
            raise self._locked(now)
        if self._silent and found.version != self._silent:
            raise self._locked(now)
        released = lease.release(self._cluster, found, datetime.now(timezone.utc))
        if not self.ask("break the lock", released).ok:
            raise self._locked(held.holder(self._seen.kept().lock))
        return True

    def says_something(self) -> bool:
        """Whether its holder gives a sign of life within LISTEN_SECONDS."""
        first = self._seen.kept().lock
        end = time.monotonic() + LISTEN_SECONDS
        while first and first.held and time.monotonic() < end:
            time.sleep(1)
            now = self._seen.kept().lock
            if now is None or now.version != first.version:
                return bool(now and now.held)
        self._silent = first.version if first and first.held else ""
        return False
