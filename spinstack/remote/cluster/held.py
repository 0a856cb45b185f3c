"""Our lock in a cluster: a Lease that we hold and renew, as long as nobody has taken it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime, timezone

from spinstack.config.kubernetes import Cluster
from spinstack.errors import SpinstackError
from spinstack.platforms.kubernetes.cluster import lease
from spinstack.platforms.kubernetes.cluster.answers import Answer
from spinstack.platforms.kubernetes.cluster.lease import Lease
from spinstack.remote.owner import Owner, parse_owner
from spinstack.transport.command import Command
from spinstack.transport.login_node import ConnectionLost

# Seconds between two signs of life; a lease ends after lease.DURATION without one.
RENEWED_EVERY = 10.0

# Runs a command about single objects, by the name of its step.
Ask = Callable[[str, Command], Answer]


class _Moment:
    """A moment that has just been."""

    def __init__(self) -> None:
        self._uptime, self._clock = time.monotonic(), time.time()

    @property
    def seconds_ago(self) -> float:
        """By the clock that says more: the machine's uptime stands still while it sleeps, its time
        may be set back."""
        return max(time.monotonic() - self._uptime, time.time() - self._clock)


class HeldLease:
    """A lease that is ours until `renew` says otherwise."""

    def __init__(self, ask: Ask, cluster: Cluster, held: Lease, owner: Owner) -> None:
        self._ask, self._cluster = ask, cluster
        self._lease = held
        self._at = _Moment()
        self.owner = owner

    def renew(self, *, sure: bool = False) -> bool:
        """Give a sign of life, if it is time for one. Whether the lease is still ours, as far as is
        known: a server that does not answer does not say that it is not. `sure`: raises
        SpinstackError then."""
        if self._at.seconds_ago < RENEWED_EVERY:
            return True
        try:
            return self.renew_now()
        except ConnectionLost:
            raise
        except SpinstackError:
            if sure:
                raise
            return True

    def renew_now(self) -> bool:
        """The same, whether it is time or not. Raises SpinstackError without an answer."""
        answer = self._ask("renew the lock", lease.renew(self._cluster, self._lease, _now()))
        return self._took(answer) or self._is_ours()

    def _is_ours(self) -> bool:
        """Whether it was we who have changed it, by a sign of life whose answer was lost."""
        command = lease.look(self._cluster, self._lease.stack)
        found = lease.read_answer(self._ask("look at the lock", command))
        if found is None or found.holder != self._lease.holder:
            return False
        self._lease, self._at = found, _Moment()
        return True

    def hand_over(self, owner: Owner) -> bool:
        """To a change of ours. Whether it was still ours."""
        command = lease.take(
            self._cluster, self._lease.stack, self._lease, owner.nonce, asdict(owner), _now()
        )
        self.owner = owner
        return self._took(self._ask("lock", command))

    def release(self) -> None:
        """Give it back, if it is still ours."""
        self._ask("unlock", lease.release(self._cluster, self._lease, _now()))

    def _took(self, answer: Answer) -> bool:
        found = lease.read_answer(answer) if answer.ok else None
        if found is None:
            # In a dry run nothing is answered, and nothing is taken.
            return answer.ok
        self._lease, self._at = found, _Moment()
        return True


def take(
    ask: Ask, cluster: Cluster, stack: str, found: Lease | None, owner: Owner
) -> HeldLease | None:
    """Take the lease, which was read as `found`; None if somebody was faster."""
    answer = ask("lock", lease.take(cluster, stack, found, owner.nonce, asdict(owner), _now()))
    if not answer.ok:
        return None
    held = lease.read_answer(answer) or Lease(stack, owner.nonce)
    return HeldLease(ask, cluster, held, owner)


def holder(found: Lease | None) -> Owner | None:
    """Who has the lease; None if nobody has it."""
    if found is None or not found.held:
        return None
    return parse_owner(json.dumps(dict(found.owner or {}))) or Owner("somebody", "some machine")


def silent(found: Lease | None) -> int | None:
    """Seconds since the holder's last sign of life, by two machines' clocks; None without one."""
    if found is None or not found.held or found.renewed is None:
        return None
    return max(int((_now() - found.renewed).total_seconds()), 0)


def _now() -> datetime:
    return datetime.now(timezone.utc)
