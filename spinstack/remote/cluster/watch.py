"""Looks at a stack in a cluster until its services are up, into the journal of a change."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from spinstack.platforms import health, rows
from spinstack.platforms.base import Garbled, ServiceState
from spinstack.platforms.kubernetes.cluster import events, states
from spinstack.remote import job
from spinstack.transport import probe
from spinstack.transport.script import Script

if TYPE_CHECKING:
    from spinstack.remote.cluster.journal_file import JournalFile
    from spinstack.remote.cluster.stack import ClusterStack

# Seconds between two looks, and between two requests.
PAUSE = 1.0
# Seconds between the first looks, and for how long: most changes are through by then, and whoever
# waits for one should not wait for our next look.
SOON, SOON_FOR = 0.3, 15.0
# Seconds after which the cluster's events are asked for, too, as long as something is not up.
EVENTS_AFTER = 10.0
# Looks in a row in which a service must seem hopeless: a registry may answer wrongly once.
PATIENCE = 5


class Watch:
    """`states`: as they were seen last. `stopping`: tells whether somebody wants it to end."""

    def __init__(
        self, stack: ClusterStack, journal: JournalFile, stopping: Callable[[], bool]
    ) -> None:
        self.states: list[ServiceState] = []
        self._stack, self._journal, self._stopping = stack, journal, stopping

    def until_up(self, seconds: float, services: Sequence[str]) -> int:
        """Look until all are up; exit codes as those of `watch` in job.sh. Where they did not come
        up, the states say why, as far as the cluster knows. Raises LockLost."""
        code = self._until_up(seconds, services)
        if code in (job.HOPELESS, job.TOO_LATE):
            self.look(explained=True)
        return code

    def _until_up(self, seconds: float, services: Sequence[str]) -> int:
        watcher = health.Watcher(list(services), PATIENCE)
        begun = heard = time.monotonic()
        end = begun + seconds
        while True:
            if self.look(explained=time.monotonic() - begun >= EVENTS_AFTER):
                heard = time.monotonic()
                if watcher.take(self.states):
                    return 0 if watcher.all_up else job.HOPELESS
            elif time.monotonic() - heard >= health.SILENT_SECONDS:
                return job.NO_ANSWER
            if self._stopping():
                return job.STOPPED
            if time.monotonic() >= end:
                return job.TOO_LATE
            self._wait(self._until_next(time.monotonic() - begun))

    def look(self, *, explained: bool = False) -> bool:
        """One round of states into the journal; `explained`, with what the cluster's events say: a
        mount or a probe that fails. Whether there was an answer."""
        stack, step = self._stack, self._stack.platform.states(must=False)
        asked = events.events_step(stack.cluster)
        said = stack.node.run(Script((stack.ready, step, *((asked,) if explained else ()))))
        told = next((one for one in said.steps if one.name == step.name), said.steps[-1])
        found = self._read(told.output) if told.ok else None
        if found is None:
            self._journal.output(told.output)
            self._journal.output(f"round {told.code or 1}")
            return False
        if explained:
            found = self._explained(found, told.output, said.output(asked.name))
        self.states = found
        for state in found:
            self._journal.output(rows.line(state))
        self._journal.output("round 0")
        return True

    def _read(self, output: str) -> list[ServiceState] | None:
        try:
            return self._stack.platform.read_states(output, self._stack.stack)
        except Garbled:
            return None

    def _explained(self, found: list[ServiceState], output: str, noted: str) -> list[ServiceState]:
        """As they are where the events can't be read."""

        def explained(state: ServiceState) -> ServiceState:
            if state.up:
                return state
            why = events.explain(output, noted, self._stack.stack, state.name)
            if why.certain:
                return states.given_up(state, why.text)
            return replace(state, message=why.text or state.message)

        try:
            return [explained(state) for state in found]
        except Garbled:
            return found

    @property
    def site(self) -> str:
        return health.address(self.states, self._stack.destination)

    def ask(self, pages: Sequence[str], seconds: float, refused_within: float) -> int:
        """Ask for every page of the site until it responds correctly, each for so many seconds,
        or until it was refused for `refused_within` seconds; where the site's name is not known
        yet, for as long as the centre takes for new ones. Raises LockLost."""
        if not self.site:
            self._journal.output("no port is published")
            return 0
        return next(
            (code for page in pages if (code := self._ask(page, seconds, refused_within))), 0
        )

    def _ask(self, page: str, seconds: float, refused_within: float) -> int:
        begun, refusals = time.monotonic(), probe.Refusals()
        named_within = max(seconds, self._stack.destination.centre.kubernetes.name_within)
        while True:
            answer = probe.ask(f"{self.site}{page}")
            self._journal.output(f"asked {self.site}{page}: {_told(answer)}")
            late = time.monotonic() - begun >= (named_within if answer.no_name else seconds)
            if answer.ok and (late or not answer.remarks("pending")):
                for remark in answer.remarks("warning"):
                    self._journal.output(f"warning: {remark}")
                return 0
            if (late and not answer.ok) or refusals.last(answer, refused_within):
                return 1
            if self._stopping():
                return job.STOPPED
            self._wait()

    def _until_next(self, waited: float) -> float:
        """Seconds until the next look. Looks at what may be hopeless are counted as seconds."""
        doubtful = any(state.stuck or state.health == "unhealthy" for state in self.states)
        return PAUSE if doubtful or waited > SOON_FOR else SOON

    def _wait(self, seconds: float = PAUSE) -> None:
        self._stack.must_be_ours()
        time.sleep(seconds)


def _told(answer: probe.Answer) -> str:
    """The number last, as curl has it in a job's journal."""
    return f"{answer.reason} {answer.status:03d}"
