"""A stack whose lock, notes and releases are in the cluster that runs it.

Changes are carried out by this process (`rollout.py`): Kubernetes goes on with what it was told
when we are gone, the lock ends by itself, and what was begun stands in the record, for the next
command of anybody to finish or to take back.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from spinstack.config.kubernetes import Cluster
from spinstack.errors import SpinstackError
from spinstack.platforms import health
from spinstack.platforms.base import Platform
from spinstack.platforms.kubernetes.cluster import apply, lease, records
from spinstack.platforms.kubernetes.cluster.apply import Named
from spinstack.platforms.kubernetes.cluster.records import Record
from spinstack.remote.cluster import ahead, held, journal_file, preview
from spinstack.remote.cluster.lock import StackLock
from spinstack.remote.cluster.release import make_release
from spinstack.remote.cluster.rollout import Rollout
from spinstack.remote.cluster.room import Manifests, pinned
from spinstack.remote.cluster.seen import KEPT, SeenStack
from spinstack.remote.errors import Changed, NotWritten
from spinstack.remote.found import Found
from spinstack.remote.history import cluster as cluster_record
from spinstack.remote.notes import ReleaseNote, parse_note
from spinstack.remote.owner import Owner, parse_owner
from spinstack.remote.stack import Difference, Noted, RemoteStack, Seen, Trial
from spinstack.remote.upload import Release
from spinstack.transport.login_node import ConnectionLost, LoginNode
from spinstack.transport.script import ScriptResult, Step, tail

if TYPE_CHECKING:
    from spinstack.config.settings import Destination
    from spinstack.config.stack import Stack
    from spinstack.remote.follow import Follow
    from spinstack.remote.job import Job
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
        self._seen = SeenStack(self, cluster)
        self._lock = StackLock(self, cluster, self._seen)
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
        return self._lock.place

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
            self._lock.take(lock)
        seen = self._seen.look()
        kept = seen.kept
        return Found(
            uid="",
            has_access=True,
            states=seen.states,
            current=kept.record.current,
            unfinished=_owner(kept.record.unfinished),
            lock=None if lock else held.holder(kept.lock),
            last_sign_of_life=held.silent(kept.lock),
        )

    def overview_steps(self) -> tuple[Step, ...]:
        return (self._seen.step,)

    def read_overview(self, outputs: Mapping[str, str]) -> Seen:
        seen = self._seen.read(outputs.get(self._seen.step.name, ""))
        record = seen.kept.record
        note = next((one.note for one in seen.kept.releases if one.id == record.current), {})
        noted = Noted(record.current, note, record.unfinished)
        return Seen(seen.states, seen.containers, noted, seen.answering)

    def lock_steps(self) -> tuple[Step, ...]:
        return (self._seen.kept_step,)

    def read_lock(self, result: ScriptResult) -> tuple[Owner | None, int | None]:
        if self.node.dry:
            return None, None
        if not result[KEPT].ok:
            raise self.failure(result[KEPT])
        found = self._seen.read_kept(result[KEPT]).lock
        return held.holder(found), held.silent(found)

    def at_work(self) -> tuple[Owner | None, int | None]:
        return self.read_lock(self.run(*self.lock_steps()))

    def releases(self) -> list[tuple[ReleaseNote, bool]]:
        return [(_note(one), one.confirmed) for one in self._seen.kept().releases]

    def objects(self) -> Sequence[Named]:
        """The stack's own that a change may remove, as they were before it."""
        return self._seen.objects()

    def tried(self, note: ReleaseNote) -> Trial:
        text = self._seen.manifests(note.id)
        images = dict.fromkeys(apply.images(text))
        how = "the server was asked by a dry run, the registry for its images"
        return Trial(self._foreseen(text), [*images], how)

    # The lock.

    @property
    def lock_lost(self) -> bool:
        """Somebody has taken the lock that we held: nothing may be changed any more."""
        return self._lock.lost

    def unlock(self) -> None:
        self._lock.give_back()

    def break_lock(self, owner: Owner) -> bool:
        return self._lock.break_(owner)

    def says_something(self) -> bool:
        return self._lock.says_something()

    def is_from_here(self, owner: Owner) -> bool:
        # The name of a machine alone is no proof.
        return bool(owner.job) and journal_file.age(self.directory, owner.job) is not None

    def must_be_ours(self, *, now: bool = False, sure: bool = False) -> None:
        """Raises LockLost if somebody has taken our lock, see `lock.py`."""
        self._lock.must_be_ours(now=now, sure=sure)

    # The record.

    def write(self, change: Callable[[Record], Record]) -> None:
        """Change the record. Raises NotWritten if that is impossible."""
        known = self._seen.known
        told, written = cluster_record.change(
            *(self.node, self.ready, self.cluster, self.stack, change),
            known=known.record if known else None,
        )
        self._seen.wrote(written)
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
        return make_release(self, stack)

    def foreseen(self, made: Release) -> list[Finding]:
        return self._foreseen(made.archive.decode())

    def _foreseen(self, text: str) -> list[Finding]:
        current = self._seen.kept().record.current
        return preview.foreseen(self, Manifests(text, self._seen.before(current)))

    def differences(self, made: Release) -> list[Difference] | None:
        # What runs has the digests with which it was deployed.
        kept = self._seen.kept()
        ran = next((_note(one) for one in kept.releases if one.id == kept.record.current), None)
        text = pinned(made.archive.decode(), ran.images.values() if ran else ())
        return preview.compared(self, text)

    def start(
        self,
        change: Job,
        found: Found,
        made: Release | None,
        note: ReleaseNote,
        follow: Follow,
    ) -> int | None:
        manifests = self._manifests(made, note, found)
        if not self.node.dry:
            if found.current and found.states and not manifests.before:
                what = f"the release {found.current}, which runs, is not kept any more"
                follow.session.console.warn(f"{what}: if this fails, it can't be brought back")
            seen = ahead.look(self, manifests)
            ahead.must_be_clear(self, seen)
            manifests = ahead.agreed(seen, manifests, follow, change.owner.doing)
        self._lock.take(change.owner)
        if self.node.dry:
            return self._show(manifests.wanted)
        try:
            self._rollout = self._prepared(change, found, made, note, manifests, follow)
        except SpinstackError:
            self.unlock()
            raise
        return self.follow(follow)

    def _manifests(self, made: Release | None, note: ReleaseNote, found: Found) -> Manifests:
        """Those of a release, a new one or one that is kept, and of the one that runs."""
        before = self._seen.before(found.current) if found.states else ""
        if made:
            return Manifests(pinned(made.archive.decode(), note.images.values()), before)
        return Manifests(self._seen.manifests(note.id), before)

    def _show(self, text: str) -> int:
        """For a dry run: what a change does."""
        self.run(apply.dry_run_step(self.cluster, text))
        self.run(apply.apply_step(self.cluster, text))
        self.run(self.platform.states())
        self.unlock()
        return 0

    def _prepared(
        self,
        change: Job,
        found: Found,
        made: Release | None,
        note: ReleaseNote,
        manifests: Manifests,
        follow: Follow,
    ) -> Rollout:
        record = (self._seen.known or self._seen.kept()).record
        if (record.current, _owner(record.unfinished)) != (found.current, found.unfinished):
            raise Changed(self.place)
        if made:
            object = records.release(self.stack, note.id, manifests.wanted, asdict(note))
            self._lock.ask("keep the release", records.keep(self.cluster, object))
        console = follow.session.console
        site = health.address(found.states, self.destination)
        return Rollout(
            self, change, manifests, site, lambda line: follow.line("follow", line), console.warn
        )

    def follow(self, follow: Follow) -> int | None:
        rollout = self._rollout
        if rollout is None:
            return journal_file.follow(self.directory, follow)
        follow.started = True
        try:
            rollout.run()
        except ConnectionLost:
            self._lock.abandon()
            self.leave()
            raise
        self._lock.abandon()
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


def _owner(noted: Mapping[str, object]) -> Owner | None:
    """Who left a change unfinished, as noted in the record."""
    return parse_owner(json.dumps(dict(noted))) if noted else None


def _note(release: records.Release) -> ReleaseNote:
    return parse_note(json.dumps(dict(release.note)), release.id)
