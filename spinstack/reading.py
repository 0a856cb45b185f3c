"""Reading the states of services round by round, from a command line that may say anything."""

from __future__ import annotations

import time
from collections.abc import Callable

from spinstack import cattle
from spinstack.cattle import ServiceState
from spinstack.errors import SpinstackError
from spinstack.remote_failures import KILLED, TIME_IS_UP, tail

# Seconds that Rancher may give no answer, or none that can be understood, in the middle.
SILENT_SECONDS = 60


class Rounds:
    """Collects the lines of `cattle.watch_step` and tells `on_states` each round's states."""

    def __init__(
        self, stack: str, where: str, on_states: Callable[[list[ServiceState]], bool]
    ) -> None:
        self._stack = stack
        self._where = where
        self._on_states = on_states
        self._lines: list[str] = []
        self._last_answer = time.monotonic()

    def take(self, line: str) -> bool:
        """Whether enough was seen. Raises SpinstackError when no round was an answer for long."""
        word, _, code = line.partition(" ")
        if word != "round":
            self._lines.append(line)
            return False
        text = "\n".join(self._lines)
        self._lines.clear()
        if code not in ("", "0") or cattle.is_garbled(text):
            self._no_answer(text, code)
            return False
        self._last_answer = time.monotonic()
        return self._on_states(cattle.parse_states(text, self._stack))

    def _no_answer(self, text: str, code: str) -> None:
        seconds = time.monotonic() - self._last_answer
        if seconds < SILENT_SECONDS:
            return
        silent = code in (str(TIME_IS_UP), str(KILLED)) and not text.strip()
        nothing = "nothing" if silent else "nothing that can be understood"
        raise SpinstackError(
            f"Rancher has answered {nothing} for {seconds:.0f} s",
            where=self._where,
            remedy="try `rancher ps` on the login node; see the centre's status page",
            details=tail(text),
        )
