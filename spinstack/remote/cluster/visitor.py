"""Asks the site once a second, as a visitor would, while it is being changed."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field

from spinstack.transport import probe

# Seconds between two requests.
PAUSE = 1.0


@dataclass
class Visits:
    """What a visitor saw. `gap`: the longest time without a good answer, in seconds."""

    url: str
    asked: int = 0
    failed: int = 0
    gap: float = 0.0
    last_failure: str = ""

    @property
    def told(self) -> str:
        if not self.failed:
            return f"{self.asked} requests to {self.url} meanwhile, none failed"
        return (
            f"{self.failed} of {self.asked} requests to {self.url} failed meanwhile, for "
            f"{self.gap:.0f} s at most ({self.last_failure})"
        )


@dataclass
class Visitor:
    """Asks in a thread of its own between `begin` and `end`, if the site answers to begin with:
    what did not work before can't be broken by the change."""

    url: str
    _visits: Visits = field(init=False)
    _over: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def __post_init__(self) -> None:
        self._visits = Visits(self.url)

    def begin(self) -> None:
        if self.url and self._thread is None and probe.ask(self.url).ok:
            self._thread = threading.Thread(target=self._visit, daemon=True)
            self._thread.start()

    def end(self) -> Visits | None:
        """What was seen; None if there was nothing to be seen."""
        thread, self._thread = self._thread, None
        if thread is None:
            return None
        self._over.set()
        thread.join(probe.ANSWER_WITHIN + PAUSE)
        return self._visits

    def _visit(self) -> None:
        visits, well_at = self._visits, time.monotonic()
        while not self._over.wait(PAUSE):
            answer = probe.ask(self.url)
            now = time.monotonic()
            visits.asked += 1
            if answer.ok:
                well_at = now
            else:
                visits.failed += 1
                visits.gap = max(visits.gap, now - well_at)
                visits.last_failure = str(answer)
