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
from spinstack.remote.errors import Locked, LockLost
from spinstack.transport.command import Command
from spinstack.transport.script import Step

if TYPE_CHECKING:
    from spinstack.config.kubernetes import Cluster
    from spinstack.platforms.client import StackClient
    from spinstack.remote.cluster.seen import SeenStack
    from spinstack.remote.owner import Owner

# How often the lock is read anew when somebody else was faster.
TRIES = 5
# Seconds to listen to a holder that looks dead by the clock: it renews every held.RENEWED_EVERY.
LISTEN_SECONDS = 2 * held.RENEWED_EVERY + 5


class StackLock:
    """`lost`: somebody has taken the lock that we held; nothing may be changed any more."""

    def __init__(self, client: StackClient, cluster: Cluster, seen: SeenStack) -> None:
        self._client, self._cluster, self._seen = client, cluster, seen
        self._held: HeldLease | None = None
        self.lost = False

    @property
    def place(self) -> str:
        return f"{self._cluster.where}, lease {lease.name(self._client.stack)}"

    def ask(self, name: str, command: Command) -> Answer:
        """Run a command about single objects. Raises SpinstackError for any other failure than
        those that an answer tells."""
        client = self._client
        step = client.run(Step(name, (command,), must=False))[name]
        try:
            answer = answers.read(step.output)
        except Garbled:
            raise client.failure(step, f"{client.platform.title} refused to {name}") from None
        if not step.ok and answer.ok:
            raise client.failure(step, f"{client.platform.title} refused to {name}")
        return answer

    def take(self, owner: Owner) -> None:
        """Take the lock, or hand the one that is ours over. Raises Locked if somebody has it, even
        if they seem to be dead."""
        if self._held is None:
            self._take(owner)
        elif not self._held.hand_over(owner):
            self._held = None
            raise Locked(held.holder(self._seen.kept().lock), self.place)

    def _take(self, owner: Owner) -> None:
        """In the version that was read last: what was read with it holds then."""
        known = self._seen.known
        for _ in range(TRIES):
            if (known is None or held.holder(known.lock)) and not self._client.node.dry:
                known = self._seen.kept()
            found = known.lock if known else None
            holder = held.holder(found)
            if holder:
                raise Locked(holder, self.place)
            self._held = held.take(self.ask, self._cluster, self._client.stack, found, owner)
            if self._held:
                self.lost = False
                return
            known = None
        raise Locked(None, self.place)

    def must_be_ours(self, *, now: bool) -> None:
        """Raises LockLost if somebody has taken our lock. The server is only asked when it is time
        for a sign of life, unless it has to be sure `now`."""
        if self._held and not (self._held.renew_now() if now else self._held.renew()):
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

    def break_(self, owner: Owner) -> None:
        """Release the owner's lock. Raises Locked if it is somebody else's by now."""
        found = self._seen.kept().lock
        now = held.holder(found)
        if found is None or now is None:
            return
        if owner.nonce and now.nonce != owner.nonce:
            raise Locked(now, self.place)
        released = lease.release(self._cluster, found, datetime.now(timezone.utc))
        if not self.ask("break the lock", released).ok:
            raise Locked(held.holder(self._seen.kept().lock), self.place)

    def says_something(self) -> bool:
        """Whether its holder gives a sign of life within LISTEN_SECONDS."""
        first = self._seen.kept().lock
        end = time.monotonic() + LISTEN_SECONDS
        while time.monotonic() < end:
            time.sleep(1)
            now = self._seen.kept().lock
            if now and first and now.version != first.version:
                return True
        return False
