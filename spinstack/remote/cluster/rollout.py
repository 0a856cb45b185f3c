"""A change of a stack in a cluster, from the server's judgement of it to its end.

Carried out by this process, with the journal that a job on a login node has, too. Nothing that
runs is touched before the server has judged all of it (a dry run); from then on, a failure brings
the release before back, as a whole. It can be left at any point: what was begun is in the record.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from spinstack.platforms.kubernetes.cluster import apply, records
from spinstack.platforms.kubernetes.cluster.apply import Named
from spinstack.platforms.kubernetes.cluster.records import Record
from spinstack.remote import job, journal
from spinstack.remote.cluster import evidence
from spinstack.remote.cluster.ahead import BACK_SECONDS
from spinstack.remote.cluster.journal_file import JournalFile
from spinstack.remote.cluster.room import Manifests
from spinstack.remote.cluster.steps import Do, Failed, Steps
from spinstack.remote.cluster.visitor import Visitor
from spinstack.remote.cluster.watch import Watch
from spinstack.remote.history.record import filled_in
from spinstack.transport.script import Script, ScriptResult, Step, StepResult

if TYPE_CHECKING:
    from spinstack.remote.cluster.stack import ClusterStack
    from spinstack.remote.job import Job
    from spinstack.transport.command import Command


@dataclass(frozen=True)
class Phase:
    """A step on the way: how the change has ended if it fails, and whether what ran before is
    brought back then."""

    name: str
    do: Do
    failed: str = journal.FAILED
    back: bool = False


@dataclass(frozen=True)
class Planned:
    """A change to be made. `keep`: keeps its release, None if that is kept already; `site`: the
    address that visitors have now, empty if there is none."""

    change: Job
    manifests: Manifests
    keep: Command | None
    site: str


class Rollout:
    """One change. `stopping`: somebody wants it to be taken back."""

    def __init__(
        self,
        stack: ClusterStack,
        planned: Planned,
        take: Callable[[str], object],
        warn: Callable[[str], None],
    ) -> None:
        self._stack, self._change = stack, planned.change
        self._manifests = planned.manifests
        self._keep, self._site = planned.keep, planned.site
        # What keeping the release has printed, until the record may name it.
        self._kept: StepResult | None = None
        self.stopping = False
        self._journal = JournalFile(stack.directory, planned.change.id, take, warn)
        self._steps = Steps(stack, self._journal)
        self._watch = Watch(stack, self._journal, lambda: self.stopping)
        self._visitor: Visitor | None = None
        self._deadline = 0.0
        # What is still to be done: after Ctrl-C it goes on with what was interrupted.
        self._phases = self._planned()
        # What failed, until what follows from it is done; and how it ends.
        self._failed: Phase | None = None
        self._outcome = journal.DONE
        owner, release = planned.change.owner, planned.change.release
        self._journal.mark("made", f"{owner.doing} of {release}, {owner.told()}")

    def _planned(self) -> list[Phase]:
        settle = Phase("apply the usual strategy", self._settle, journal.UNFINISHED)
        return [
            Phase("render", self._judge),
            *([Phase("keep the release", self._must_be_kept)] if self._keep else []),
            Phase("lock still ours", self._still_ours),
            Phase("note the upgrade", self._note_begun),
            Phase("bring up", self._bring_up, back=True),
            Phase("wait until healthy", self._wait, back=True),
            Phase("ask the site", self._ask, back=True),
            Phase("lock still ours", self._still_ours, journal.LOCK_LOST),
            *([settle] if self._manifests.stopped else []),
            Phase("prune", self._prune, journal.UNFINISHED),
            Phase("mark as current", self._mark_current, journal.NOT_NOTED),
        ]

    def run(self) -> None:
        """Carry it out to its end, or take it back. May be called again after KeyboardInterrupt."""
        while self._phases:
            phase = self._phases[0]
            try:
                if self.stopping and phase.failed == journal.FAILED:
                    self._steps.do("stop", lambda: job.STOPPED)
                self._steps.do(phase.name, phase.do)
                self._phases.pop(0)
            except Failed:
                # Before the phases are forgotten: Ctrl-C may come at any time.
                self._failed = phase
                self._phases.clear()
        if self._failed:
            self._outcome = self._taken_back() if self._failed.back else self._failed.failed
            if self._outcome == journal.LOCK_LOST:
                self._outcome = self._unsure
            self._failed = None
        self._end(self._outcome)

    @property
    def _unsure(self) -> str:
        """How it ends if the lock is not known to be ours: somebody else's, or nobody says."""
        return journal.LOCK_LOST if self._stack.lock_lost else journal.UNFINISHED

    def leave(self) -> None:
        """Somebody has left it as it is."""
        if self._visitor:
            self._visitor.end()
        self._journal.close()

    def _judge(self) -> int:
        """The release is kept meanwhile, before the record names it."""
        stack, step = self._stack, apply.dry_run_step(self._stack.cluster, self._manifests.first)
        if self._keep is None:
            return self._steps.run(step)
        keep = Step("keep the release", (self._keep,), must=False, beside=True)
        result = stack.node.run(Script((stack.ready, keep, replace(step, must=False))))
        self._kept = next((one for one in result.steps if one.name == keep.name), None)
        result.steps = [one for one in result.steps if one is not self._kept]
        return self._steps.printed(result)

    def _must_be_kept(self) -> None:
        if self._kept:
            self._stack.lock.answered(self._kept)

    def _still_ours(self) -> None:
        self._stack.must_be_ours(now=True)

    def _note_begun(self) -> None:
        self._kept = None
        begun = asdict(self._change.begun)
        self._stack.write(lambda record: replace(record, unfinished=begun))

    def _bring_up(self) -> int:
        self._visit()
        self._deadline = time.monotonic() + self._change.healthy_within
        return self._steps.order(apply.apply_step(self._stack.cluster, self._manifests.first))

    def _settle(self) -> int:
        """The next change need not stop what runs."""
        return self._steps.order(apply.apply_step(self._stack.cluster, self._manifests.wanted))

    def _visit(self) -> None:
        """Have the first page asked for all the while, if there is a site."""
        pages = self._change.pages
        if self._change.creating or self._visitor or not pages:
            return
        if self._site:
            self._visitor = Visitor(f"{self._site}{pages[0]}")
            self._visitor.begin()

    def _wait(self) -> int:
        return self._watch.until_up(self._deadline - time.monotonic(), self._change.services)

    def _ask(self) -> int:
        change = self._change
        return self._watch.ask(change.pages, change.answer_within, change.refused_within)

    def _prune(self) -> int:
        """Remove what the stack no longer has; what the release before mounts is kept for it. The
        release has run well, and is marked meanwhile."""
        stack, before = self._stack, apply.inventory(self._manifests.before)
        marked = records.mark(stack.cluster, stack.stack, self._change.release, records.CONFIRMED)
        mark = Step("mark the release", (marked,), must=False, beside=True)
        removed = self._removal(self._manifests.wanted, before, apply.config_of(before))
        return self._steps.order(mark, *removed)

    def _remove_new(self) -> int:
        """What ran before is back."""
        removed = self._removal(self._manifests.before, apply.inventory(self._manifests.wanted))
        return self._steps.order(*removed) if removed else 0

    def _removal(
        self, text: str, other: Iterable[Named], kept: Iterable[Named] = ()
    ) -> tuple[Step, ...]:
        """Removes what is not in these manifests: of what was there, and of others."""
        stack = self._stack
        keep = (*apply.inventory(text), *kept)
        old = apply.superfluous((*stack.objects(), *other), keep)
        return (apply.remove_step(stack.cluster, stack.stack, old),) if old else ()

    def _mark_current(self) -> None:
        release = self._change.release

        def noted(record: Record) -> Record:
            return replace(self._with_history(record, journal.DONE), current=release, unfinished={})

        self._stack.write(noted)

    def _write_down(self, outcome: str) -> None:
        self._stack.write(lambda record: self._with_history(record, outcome))

    def _with_history(self, record: Record, outcome: str) -> Record:
        template = self._change.records.get(outcome, "")
        line = filled_in(template, self._change.owner.who) if template else ""
        return replace(record, history=(*record.history, line)) if line else record

    def _taken_back(self) -> str:
        """Keep what is known about the failure, and bring back what ran before. How it ended."""
        self.stopping = False
        self._steps.try_to("keep evidence", self._keep_evidence)
        for name in evidence.worth_showing(self._watch.states, self._change.services):
            self._steps.try_to(f"last lines of {name}", partial(self._show_log, name))
        before = self._manifests.before
        if self._stack.lock_lost:
            return journal.LOCK_LOST
        if self._change.creating or not before:
            return journal.STAYS
        if not self._steps.try_to("lock still ours", self._still_ours):
            return self._unsure
        back = apply.apply_step(self._stack.cluster, self._manifests.back)
        if not self._steps.try_to("roll back", lambda: self._steps.order(back)):
            return journal.UNFINISHED
        self._steps.try_to("forget the upgrade", self._stack.forget_upgrade)
        services = self._change.ran or self._change.services
        waited = self._steps.try_to(
            "wait for the old ones", lambda: self._watch.until_up(BACK_SECONDS, services)
        )
        if not waited:
            return journal.BACK_NOT_WELL
        if self._manifests.stopped:
            usual = apply.apply_step(self._stack.cluster, before)
            self._steps.try_to("apply the usual strategy", lambda: self._steps.order(usual))
        self._steps.try_to("remove the new ones", self._remove_new)
        return journal.TAKEN_BACK

    def _show_log(self, service: str) -> int:
        told = evidence.last_lines(self._stack, service)
        return self._steps.printed(ScriptResult([told]))

    def _forget_release(self) -> int:
        """Nothing was changed: it never was one."""
        stack = self._stack
        forget = records.forget(stack.cluster, stack.stack, [self._change.release])
        return self._steps.run(Step("forget the release", (forget,), must=False))

    def _keep_evidence(self) -> None:
        path = self._journal.evidence(evidence.gathered(self._stack, self._change.services))
        if path:
            self._journal.output(f"evidence: {path}")

    def _end(self, outcome: str) -> None:
        visits = self._visitor.end() if self._visitor else None
        if visits and visits.asked:
            self._steps.try_to("visits", lambda: self._journal.output(visits.told))
        if outcome == journal.FAILED and self._kept:
            self._steps.try_to("forget the release", self._forget_release)
        if outcome != journal.DONE:
            self._steps.try_to("write it down", lambda: self._write_down(outcome))
        self._steps.try_to("unlock", self._stack.unlock)
        self._journal.mark("over", outcome)
        self._journal.close()
