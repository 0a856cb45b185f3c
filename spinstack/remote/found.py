"""What was found on the login node before anything is changed there."""

from __future__ import annotations

from dataclasses import dataclass

from spinstack.platforms.base import ServiceState
from spinstack.remote.owner import Owner


@dataclass(frozen=True)
class Found:
    """Who we are there, what is running, who is changing it.

    `current`: id of the running release; `unfinished`: an upgrade that was begun and not ended;
    `lock`: who is changing the stack right now; `last_sign_of_life`: seconds since the last
    heartbeat of a change that runs there on its own.
    """

    uid: str
    has_access: bool
    states: list[ServiceState]
    current: str
    unfinished: Owner | None = None
    lock: Owner | None = None
    last_sign_of_life: int | None = None

    @property
    def unsettled(self) -> bool:
        """Whether services must settle, be rolled back or be stopped before an upgrade."""
        stuck = any(state.open and state.stuck for state in self.states)
        return bool(self.moving or self.not_upgradable or stuck)

    @property
    def unconfirmed(self) -> list[str]:
        return [state.name for state in self.states if state.open]

    @property
    def not_upgradable(self) -> list[str]:
        """Services that can't be upgraded until they have been stopped."""
        return [state.name for state in self.states if not state.at_rest]

    @property
    def moving(self) -> list[str]:
        """Services that are still changing state."""
        return [state.name for state in self.states if state.moving]
