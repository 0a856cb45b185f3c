"""How a change of a stack in a cluster begins: what stands against it, the lock, its release."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from spinstack.errors import SpinstackError
from spinstack.platforms import health
from spinstack.platforms.kubernetes.cluster import apply, records
from spinstack.remote.cluster import ahead, seen
from spinstack.remote.cluster.rollout import Planned, Rollout
from spinstack.remote.cluster.room import Manifests, pinned
from spinstack.remote.errors import Changed

if TYPE_CHECKING:
    from spinstack.remote.cluster.stack import ClusterStack
    from spinstack.remote.follow import Follow
    from spinstack.remote.found import Found
    from spinstack.remote.job import Job
    from spinstack.remote.notes import ReleaseNote
    from spinstack.remote.upload import Release
    from spinstack.transport.command import Command


def begun(
    stack: ClusterStack,
    change: Job,
    found: Found,
    made: Release | None,
    note: ReleaseNote,
    follow: Follow,
) -> Rollout:
    """The change, under the lock, which is given back if it can't be made. Raises as
    `RemoteStack.start`."""
    manifests = _manifests(stack, made, note, found)
    if found.current and found.states and not manifests.before:
        what = f"the release {found.current}, which runs, is not kept any more"
        follow.session.console.warn(f"{what}: if this fails, it can't be brought back")
    met = ahead.look(stack, manifests)
    ahead.must_be_clear(stack, met)
    manifests = ahead.agreed(met, manifests, follow, change.owner.doing)
    kept = _kept(stack, note, manifests) if made else None
    stack.lock.take(change.owner)
    try:
        _must_be_as_found(stack, found)
    except SpinstackError:
        stack.unlock()
        raise
    console = follow.session.console
    site = health.address(found.states, stack.destination)
    plan = Planned(change, manifests, kept, site)
    return Rollout(stack, plan, lambda line: follow.line("follow", line), console.warn)


def show(stack: ClusterStack, change: Job, made: Release | None, note: ReleaseNote) -> None:
    """For a dry run: what a change does."""
    text = made.archive.decode() if made else stack.seen.manifests(note.id)
    stack.lock.take(change.owner)
    stack.run(apply.dry_run_step(stack.cluster, text))
    stack.run(apply.apply_step(stack.cluster, text))
    stack.run(stack.platform.states())
    stack.unlock()


def _manifests(
    stack: ClusterStack, made: Release | None, note: ReleaseNote, found: Found
) -> Manifests:
    """Those of a release, a new one or one that is kept, and of the one that runs."""
    before = stack.seen.before(found.current) if found.states else ""
    if made:
        return Manifests(pinned(made.archive.decode(), note.images.values()), before)
    return Manifests(stack.seen.manifests(note.id), before)


def _must_be_as_found(stack: ClusterStack, found: Found) -> None:
    record = (stack.seen.known or stack.seen.kept()).record
    if (record.current, seen.owner(record.unfinished)) != (found.current, found.unfinished):
        raise Changed(stack.place)


def _kept(stack: ClusterStack, note: ReleaseNote, manifests: Manifests) -> Command:
    """Keeps the release. Raises SpinstackError if it is too large."""
    made = records.release(stack.stack, note.id, manifests.wanted, asdict(note))
    return records.keep(stack.cluster, made)
