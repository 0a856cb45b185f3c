"""A stack whose lock, notes and releases are in the cluster that runs it.

Changes are carried out by this process (`rollout.py`): Kubernetes goes on with what it was told
when we are gone, the lock ends by itself, and what was begun stands in the record, for the next
command of anybody to finish or to take back.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import datetime, timezone
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from spinstack.config.kubernetes import Cluster
from spinstack.errors import SpinstackError
from spinstack.platforms import health
from spinstack.platforms.base import Garbled, Platform
from spinstack.platforms.kubernetes.cluster import (
    answers,
    apply,
    differences,
    lease,
    owners,
    records,
)
from spinstack.platforms.kubernetes.cluster.answers import Answer
from spinstack.platforms.kubernetes.cluster.apply import Named
from spinstack.platforms.kubernetes.cluster.output import NOT_FOUND, bare
from spinstack.platforms.kubernetes.cluster.records import Kept, Record
from spinstack.remote import changes
from spinstack.remote.cluster import ahead, held, journal_file, together
from spinstack.remote.cluster.held import HeldLease
from spinstack.remote.cluster.rollout import Rollout
from spinstack.remote.cluster.room import Manifests, pinned
from spinstack.remote.cluster.together import Together
from spinstack.remote.errors import Changed, Locked, LockLost, NotWritten, ReleaseGone
from spinstack.remote.found import Found
from spinstack.remote.history import cluster as cluster_record
from spinstack.remote.notes import ReleaseNote, parse_note
from spinstack.remote.owner import Owner, parse_owner
from spinstack.remote.stack import Difference, Noted, RemoteStack, Seen, Trial
from spinstack.remote.upload import Release
from spinstack.transport.command import Command
from spinstack.transport.login_node import ConnectionLost, LoginNode
from spinstack.transport.script import Script, ScriptResult, Step, StepResult, tail

if TYPE_CHECKING:
    from spinstack.config.settings import Destination
    from spinstack.config.stack import Stack
    from spinstack.remote.follow import Follow
    from spinstack.remote.job import Job
    from spinstack.rules.finding import Finding

# The name of the step that reads lease, record and releases.
KEPT = "lock and record"
# How often the record is read anew when somebody else has written to it meanwhile.
TRIES = 5
# Seconds to listen to a holder that looks dead by the clock: it renews every held.RENEWED_EVERY.
LISTEN_SECONDS = 2 * held.RENEWED_EVERY + 5


class ClusterStack(RemoteStack):
    """One stack in one namespace."""

    lives_on = False
    expires = True

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
        self._held: HeldLease | None = None
        # Somebody has taken the lock that we held: nothing may be changed any more.
        self.lock_lost = False
        self._rollout: Rollout | None = None
        # As they were read last; manifests of releases, which never change, by id.
        self._known: Kept | None = None
        self._packed: Mapping[str, str] = {}
        # Of the stack, at the last look; None if they may be others by now.
        self._objects: Sequence[Named] | None = None

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
        return f"{self.place}, lease {lease.name(self.stack)}"

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
            self._take(lock)
        asked = together.look(self.cluster, self.stack, services=True)
        step = replace(self._together_step, commands=(asked,), must=False)
        result = self.node.run(Script((self.ready, self.platform.has_access(), step)))
        self.succeeded(result)
        if not result[step.name].ok:
            what = f"{self.platform.title} does not say what is running"
            raise self.failure(result[step.name], what)
        seen = self._read_together(result.output(step.name))
        self._known, self._packed, self._objects = seen.kept, seen.packed, seen.objects
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

    @property
    def _look_step(self) -> Step:
        return Step(KEPT, (records.look(self.cluster, self.stack),), must=False)

    def _read_kept(self, step: StepResult) -> Kept:
        return self.read(step, lambda text: records.read(text, self.stack))

    def kept(self) -> Kept:
        """Lease, record and releases as they are now."""
        before = self._known
        self._known = self._read_kept(self.run(replace(self._look_step, must=True))[KEPT])
        if before is None or before.lock != self._known.lock:
            # Whoever had the lock since the last look may have made others.
            self._objects = None
        return self._known

    @property
    def _together_step(self) -> Step:
        step = self.platform.states()
        return replace(step, commands=(together.look(self.cluster, self.stack),))

    def _read_together(self, output: str) -> Together:
        step = StepResult(self._together_step.name, output, 0)
        return self.read(step, lambda text: together.read(text, self.stack))

    def overview_steps(self) -> tuple[Step, ...]:
        return (self._together_step,)

    def read_overview(self, outputs: Mapping[str, str]) -> Seen:
        seen = self._read_together(outputs.get(self._together_step.name, ""))
        record = seen.kept.record
        note = next((one.note for one in seen.kept.releases if one.id == record.current), {})
        noted = Noted(record.current, note, record.unfinished)
        return Seen(seen.states, seen.containers, noted, seen.answering)

    def lock_steps(self) -> tuple[Step, ...]:
        return (self._look_step,)

    def read_lock(self, result: ScriptResult) -> tuple[Owner | None, int | None]:
        if self.node.dry:
            return None, None
        if not result[KEPT].ok:
            raise self.failure(result[KEPT])
        found = self._read_kept(result[KEPT]).lock
        return held.holder(found), held.silent(found)

    def at_work(self) -> tuple[Owner | None, int | None]:
        return self.read_lock(self.run(*self.lock_steps()))

    def releases(self) -> list[tuple[ReleaseNote, bool]]:
        return [(_note(one), one.confirmed) for one in self.kept().releases]

    def manifests(self, release: str) -> str:
        """What a release consists of. Raises ReleaseGone if it is not kept."""
        packed = self._packed.get(release)
        if packed is None:
            packed = self._read_packed(release)
        if self.node.dry:
            return ""
        try:
            return records.read_manifests(packed)
        except ValueError as error:
            raise SpinstackError(
                f"the release {release} can't be read: {error}",
                where=self._release_place(release),
                remedy="if it is broken remove it with kubectl: a deploy does without it",
            ) from None

    def _read_packed(self, release: str) -> str:
        name = "read the release"
        step = Step(name, (records.look_manifests(self.cluster, self.stack, release),), must=False)
        result = self.run(step)[name]
        if not result.ok and NOT_FOUND in result.output:
            raise ReleaseGone(
                f"the release {release} is not kept any more",
                where=self._release_place(release),
                remedy="go back to another one of `invoke releases`, or deploy",
            )
        if not result.ok and not self.node.dry:
            raise self.failure(result, f"the release {release} can't be read")
        return "".join(bare(result.output))

    def _release_place(self, release: str) -> str:
        return f"{self.place}, {records.release_name(self.stack, release)}"

    def _before(self, release: str) -> str:
        """The same of the one that runs, empty if there is none: a change can't be taken back then,
        but must be possible."""
        try:
            return self.manifests(release) if release else ""
        except ReleaseGone:
            return ""

    def tried(self, note: ReleaseNote) -> Trial:
        text = self.manifests(note.id)
        images = dict.fromkeys(apply.images(text))
        how = "the server was asked by a dry run, the registry for its images"
        return Trial(self._foreseen(text), [*images], how)

    # The lock.

    def ask(self, name: str, command: Command) -> Answer:
        """Run a command about single objects. Raises SpinstackError for any other failure than
        those that an answer tells."""
        step = self.run(Step(name, (command,), must=False))[name]
        try:
            answer = answers.read(step.output)
        except Garbled:
            raise self.failure(step, f"{self.platform.title} refused to {name}") from None
        if not step.ok and answer.ok:
            raise self.failure(step, f"{self.platform.title} refused to {name}")
        return answer

    def _take(self, owner: Owner) -> None:
        """Take the lock. Raises Locked if somebody has it, even if they seem to be dead.

        Nobody changes the record without it: if it is taken in the version that was read last,
        the record is still the one that was read then.
        """
        known = self._known
        for _ in range(TRIES):
            if (known is None or held.holder(known.lock)) and not self.node.dry:
                known = self.kept()
            found = known.lock if known else None
            holder = held.holder(found)
            if holder:
                raise Locked(holder, self.lock_place)
            self._held = held.take(self.ask, self.cluster, self.stack, found, owner)
            if self._held:
                self.lock_lost = False
                return
            known = None
        raise Locked(None, self.lock_place)

    def unlock(self) -> None:
        mine, self._held = self._held, None
        # From here on others may change it.
        self._known = self._objects = None
        if mine:
            mine.release()

    def break_lock(self, owner: Owner) -> None:
        found = self.kept().lock
        now = held.holder(found)
        if found is None or now is None:
            return
        if owner.nonce and now.nonce != owner.nonce:
            raise Locked(now, self.lock_place)
        released = lease.release(self.cluster, found, datetime.now(timezone.utc))
        if not self.ask("break the lock", released).ok:
            raise Locked(held.holder(self.kept().lock), self.lock_place)

    def says_something(self) -> bool:
        first = self.kept().lock
        end = time.monotonic() + LISTEN_SECONDS
        while time.monotonic() < end:
            time.sleep(1)
            now = self.kept().lock
            if now and first and now.version != first.version:
                return True
        return False

    def must_be_ours(self, *, now: bool = False) -> None:
        """Raises LockLost if somebody has taken our lock. The server is only asked when it is time
        for a sign of life, unless it has to be sure `now`."""
        if self._held and not (self._held.renew_now() if now else self._held.renew()):
            self._held, self.lock_lost = None, True
        if self.lock_lost:
            raise LockLost(
                "somebody has taken the lock of this change, and may be changing the stack now",
                where=self.lock_place,
                remedy="ask them, see `invoke status`, then run the command again",
            )

    # The record.

    def write(self, change: Callable[[Record], Record]) -> None:
        """Change the record. Raises NotWritten if that is impossible."""
        known, self._known = self._known, None
        told, written = cluster_record.change(
            *(self.node, self.ready, self.cluster, self.stack, change),
            known=known.record if known else None,
        )
        if told.ok or self.node.dry:
            self._known = replace(known, record=written) if known and written else None
            return
        raise NotWritten(
            "the record of the stack could not be written",
            where=f"{self.place}, config map {records.record_name(self.stack)}",
            remedy="see the message below, then run the same command again",
            details=tail(told.output),
        )

    def objects(self) -> Sequence[Named]:
        """The stack's own that a change may remove, as they were before it."""
        if self._objects is None:
            step = apply.list_step(self.cluster, self.stack)
            self._objects = self.read(self.run(step)[step.name], apply.read_list)
        return self._objects

    def forget_upgrade(self) -> None:
        self.write(lambda record: replace(record, unfinished={}))

    def remove_releases(self, ids: Sequence[str]) -> None:
        # While somebody was asked the lock may have ended, and one of them may run by now.
        self.must_be_ours(now=True)
        step = Step("prune", (records.forget(self.cluster, self.stack, ids),), must=False)
        self.order(step, what="the old releases could not be removed")

    # A change.

    def make_release(self, stack: Stack) -> Release:
        text = self._rendered(stack)
        digest = hashlib.sha256(text.encode()).hexdigest()
        moment = datetime.now(timezone.utc).strftime("%Y%m%d-%H%M%S")
        release_id = f"{moment}-{digest[:8]}"
        return Release(release_id, self.root / "releases" / release_id, text.encode())

    def _rendered(self, stack: Stack) -> str:
        """All manifests of the stack, with a person's own additions, which kubectl merges."""
        if not (stack.directory / "kubernetes").is_dir() or self.node.dry:
            return self.platform.rendered(stack, self.destination)
        files = self.platform.release_files(stack, self.destination)
        step = apply.kustomize_step(self.cluster, files)
        result = self.node.run(Script((self.ready, step)))[step.name]
        if result.ok:
            return result.output
        raise SpinstackError(
            "kubectl can't merge the files in kubernetes/ into the manifests",
            where=str(stack.directory / "kubernetes"),
            remedy="fix what it says; `invoke render --output DIR` writes what it was given",
            details=tail(result.output),
        )

    def foreseen(self, made: Release) -> list[Finding]:
        return self._foreseen(made.archive.decode())

    def _foreseen(self, text: str) -> list[Finding]:
        current = self.kept().record.current
        seen = ahead.look(self, Manifests(text, self._before(current)))
        judged = [] if seen.in_the_way else ahead.judged(self, text)
        return [*ahead.findings(self, seen), *judged]

    def differences(self, made: Release) -> list[Difference] | None:
        # What runs has the digests with which it was deployed.
        kept = self.kept()
        ran = next((_note(one) for one in kept.releases if one.id == kept.record.current), None)
        text = pinned(made.archive.decode(), ran.images.values() if ran else ())
        asked = (
            owners.there_step(self.cluster, text),
            Step("what would be", (differences.apply(self.cluster, text, dry_run=True),)),
            apply.list_step(self.cluster, self.stack),
        )
        result = self.run(*asked)
        there, would, listed = (
            self.read(result[step.name], lambda text: answers.read(text).objects) for step in asked
        )
        wanted = {apply.named(one) for one in would}
        # ConfigMaps are named by their content: those of before stay for a while.
        old = [
            one
            for one in listed
            if apply.named(one) not in wanted and one.get("kind") != "ConfigMap"
        ]
        stamps = self.destination.centre.kubernetes.stamps
        found = differences.differences([*there, *old], would, stamps)
        found = differences.in_files(found, there, listed, would)
        scaled = owners.scaled(there)
        return [
            Difference(f"{one.kind} {one.name}", one.where, one.old or "", one.new or "")
            for one in found
            if not (one.where == "spec.replicas" and one.name in scaled)
        ]

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
        if self._held:
            if not self._held.hand_over(change.owner):
                self._held = None
                raise Locked(held.holder(self.kept().lock), self.lock_place)
        else:
            self._take(change.owner)
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
        before = self._before(found.current) if found.states else ""
        if made:
            return Manifests(pinned(made.archive.decode(), note.images.values()), before)
        return Manifests(self.manifests(note.id), before)

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
        record = (self._known or self.kept()).record
        if (record.current, _owner(record.unfinished)) != (found.current, found.unfinished):
            raise Changed(self.place)
        if made:
            object = records.release(self.stack, note.id, manifests.wanted, asdict(note))
            self.ask("keep the release", records.keep(self.cluster, object))
        console = follow.session.console
        site = health.address(found.states, self.destination)
        return Rollout(
            self, change, manifests, site, lambda line: follow.line("follow", line), console.warn
        )

    def follow(self, follow: Follow) -> int | None:
        rollout = self._rollout
        if rollout is None:
            return self._follow_file(follow)
        follow.started = True
        try:
            rollout.run()
        except ConnectionLost:
            # The lock can't be given back: it ends by itself.
            self._held = None
            self.leave()
            raise
        self._held = self._rollout = None
        return 0

    def _follow_file(self, follow: Follow) -> int | None:
        """The journal of a change that another process on this machine makes, or has made."""
        while not follow.journal.outcome:
            for line in journal_file.lines(self.directory, follow.id)[follow.journal.count :]:
                follow.line("follow", line)
            if follow.journal.outcome:
                break
            age = journal_file.age(self.directory, follow.id)
            if age is None or age > changes.SILENT_SECONDS:
                return changes.SILENT
            time.sleep(1)
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
