"""A stack whose lock, notes and releases are in the cluster that runs it.

Changes are carried out by this process (`rollout.py`): Kubernetes goes on with what it was told
when we are gone, the lock ends by itself, and what was begun stands in the record, for the next
command of anybody to finish or to take back.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from spinstack.config.kubernetes import Cluster
from spinstack.platforms.base import Platform
from spinstack.platforms.kubernetes.cluster import apply, lease, records
from spinstack.platforms.kubernetes.cluster.apply import Named
from spinstack.platforms.kubernetes.cluster.records import Record
from spinstack.remote.cluster import held, journal_file
from spinstack.remote.cluster.lock import StackLock
from spinstack.remote.cluster.seen import KEPT, SeenStack
from spinstack.remote.cluster.seen import note as note_of
from spinstack.remote.cluster.seen import owner as owner_of
from spinstack.remote.errors import NotWritten
from spinstack.remote.found import Found
from spinstack.remote.notes import ReleaseNote
from spinstack.remote.owner import Owner
from spinstack.remote.stack import Difference, Noted, RemoteStack, Seen, Trial
from spinstack.transport.login_node import ConnectionLost, LoginNode
from spinstack.transport.script import ScriptResult, Step, tail

if TYPE_CHECKING:
    from spinstack.config.settings import Destination
    from spinstack.config.stack import Stack
    from spinstack.remote.cluster.rollout import Rollout
    from spinstack.remote.follow import Follow
    from spinstack.remote.job import Job
    from spinstack.remote.upload import Release
    from spinstack.rules.finding import Finding


class ClusterStack(RemoteStack):
    """One stack in one namespace."""

    lives_on = False
    expires = lease.DURATION

    def __init__(
        self,
        node: LoginNode,
        destination: Destination,
        platform: Platform,
        stack: str,
        cluster: Cluster,
    ) -> None:
        super().__init__(node, destination, platform, stack)
        self.cluster = cluster
        self.seen = SeenStack(self, cluster)
        self.lock = StackLock(self, cluster, self.seen)
        self._rollout: Rollout | None = None

    # Where things are.

    @property
    def directory(self) -> Path:
        """What this machine keeps: the journals of changes that were made from here."""
        cluster = self.cluster
        return journal_file.directory(cluster.context, cluster.namespace, self.stack)

    @property
    def root(self) -> PurePosixPath:
        return PurePosixPath(self.directory)

    @property
    def place(self) -> str:
        return self.cluster.where

    @property
    def lock_place(self) -> str:
        return self.lock.place

    @property
    def changes_place(self) -> str:
        return str(self.directory / "changes")

    @property
    def releases_place(self) -> str:
        return self.place

    def running_release(self, release: str) -> str:
        return ""

    # Looking.

    def look(self, lock: Owner | None = None) -> Found:
        if lock:
            self.lock.take(lock)
        seen = self.seen.look()
        kept = seen.kept
        return Found(
            uid="",
            has_access=True,
            states=seen.states,
            current=kept.record.current,
            unfinished=owner_of(kept.record.unfinished),
            lock=None if lock else held.holder(kept.lock),
            last_sign_of_life=held.silent(kept.lock),
        )

    def overview_steps(self) -> tuple[Step, ...]:
        return (self.seen.step,)

    def read_overview(self, outputs: Mapping[str, str]) -> Seen:
        seen = self.seen.read(outputs.get(self.seen.step.name, ""))
        record = seen.kept.record
        note = next((one.note for one in seen.kept.releases if one.id == record.current), {})
        noted = Noted(record.current, note, record.unfinished)
        return Seen(seen.states, seen.containers, noted, seen.answering)

    def lock_steps(self) -> tuple[Step, ...]:
        return (self.seen.kept_step,)

    def read_lock(self, result: ScriptResult) -> tuple[Owner | None, int | None]:
        if self.node.dry:
            return None, None
        if not result[KEPT].ok:
            raise self.failure(result[KEPT])
        found = self.seen.read_kept(result[KEPT]).lock
        return held.holder(found), held.silent(found)

    def at_work(self) -> tuple[Owner | None, int | None]:
        return self.read_lock(self.run(*self.lock_steps()))

    def releases(self) -> list[tuple[ReleaseNote, bool]]:
        return [(note_of(one), one.confirmed) for one in self.seen.kept().releases]

    def objects(self) -> Sequence[Named]:
        """The stack's own that a change may remove, as they were before it."""
        return self.seen.objects()

    def tried(self, note: ReleaseNote) -> Trial:
        text = self.seen.manifests(note.id)
        images = dict.fromkeys(apply.images(text))
        how = "the server was asked by a dry run, the registry for its images"
        return Trial(self._foreseen(text), [*images], how)

    # The lock.

    @property
    def lock_lost(self) -> bool:
        """Somebody has taken the lock that we held: nothing may be changed any more."""
        return self.lock.lost

    def unlock(self) -> None:
        self.lock.give_back()

    def break_lock(self, owner: Owner) -> bool:
        return self.lock.break_(owner)

    def says_something(self) -> bool:
        return self.lock.says_something()

    def is_from_here(self, owner: Owner) -> bool:
        # The name of a machine alone is no proof.
        return bool(owner.job) and journal_file.age(self.directory, owner.job) is not None

    def must_be_ours(self, *, now: bool = False, sure: bool = False) -> None:
        """Raises LockLost if somebody has taken our lock, see `lock.py`."""
        self.lock.must_be_ours(now=now, sure=sure)

    # The record.

    def write(self, change: Callable[[Record], Record]) -> None:
        """Change the record. Raises NotWritten if that is impossible."""
        known = self.seen.known
        from spinstack.remote.history import cluster as cluster_record

        told, written = cluster_record.change(
            *(self.node, self.ready, self.cluster, self.stack, change),
            known=known.record if known else None,
        )
        self.seen.wrote(written)
        if told.ok or self.node.dry:
            return
        raise NotWritten(
            "the record of the stack could not be written",
            where=f"{self.place}, config map {records.record_name(self.stack)}",
            remedy="see the message below, then run the same command again",
            details=tail(told.output),
        )

    def forget_upgrade(self) -> None:
        self.write(lambda record: replace(record, unfinished={}))

    def remove_releases(self, ids: Sequence[str]) -> None:
        # While somebody was asked the lock may have ended, and one of them may run by now.
        self.must_be_ours(now=True)
        step = Step("prune", (records.forget(self.cluster, self.stack, ids),), must=False)
        self.order(step, what="the old releases could not be removed")

    # A change.

    def make_release(self, stack: Stack) -> Release:
        from spinstack.remote.cluster import release

        return release.make_release(self, stack)

    def foreseen(self, made: Release) -> list[Finding]:
        return self._foreseen(made.archive.decode())

    def _foreseen(self, text: str) -> list[Finding]:
        from spinstack.remote.cluster import preview

        return preview.foreseen(self, text)

    def differences(self, made: Release) -> list[Difference] | None:
        from spinstack.remote.cluster import preview

        return preview.compared(self, made.archive.decode())

    def start(
        self,
        change: Job,
        found: Found,
        made: Release | None,
        note: ReleaseNote,
        follow: Follow,
    ) -> int | None:
        from spinstack.remote.cluster import begin

        if self.node.dry:
            begin.show(self, change, made, note)
            return 0
        self._rollout = begin.begun(self, change, found, made, note, follow)
        return self.follow(follow)

    def follow(self, follow: Follow) -> int | None:
        rollout = self._rollout
        if rollout is None:
            return journal_file.follow(self.directory, follow)
        follow.started = True
        try:
            rollout.run()
        except ConnectionLost:
            self.lock.abandon()
            self.leave()
            raise
        self.lock.abandon()
        self._rollout = None
        return 0

    def hold(self, job_id: str) -> None:
        """Nothing goes on while somebody is asked: it is this process that makes it final."""

    def go_on(self, job_id: str) -> None:
        """Nothing waits for it."""

    def leave(self) -> None:
        if self._rollout:
            self._rollout.leave()
            self._rollout = None
        self.unlock()

    def ask_to_stop(self, job_id: str) -> None:
        if self._rollout:
            self._rollout.stopping = True

    def newest_change(self, wanted: str = "") -> str:
        return journal_file.newest(self.directory, wanted)

    def confirm(self, release: str) -> None:
        raise AssertionError("an upgrade in one step has no second one")

    def roll_back(self, release: str, services: Sequence[str]) -> None:
        raise AssertionError("an upgrade in one step has no second one")
