"""What there is of a stack in its cluster, as it was read last: under the lock it stays as it is.

Nobody changes the record, the releases or the set of objects without the lock, and the lock is
taken in the version that was read: so what was read with it holds, and is not asked for again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from spinstack.errors import SpinstackError
from spinstack.platforms.kubernetes.cluster import apply, records
from spinstack.platforms.kubernetes.cluster.apply import Named
from spinstack.platforms.kubernetes.cluster.output import NOT_FOUND, bare
from spinstack.platforms.kubernetes.cluster.records import Kept, Record, Release
from spinstack.remote.cluster import together
from spinstack.remote.cluster.together import Together
from spinstack.remote.errors import ReleaseGone
from spinstack.remote.notes import ReleaseNote, parse_note
from spinstack.remote.owner import Owner, parse_owner
from spinstack.transport.script import Script, Step, StepResult

if TYPE_CHECKING:
    from spinstack.config.kubernetes import Cluster
    from spinstack.platforms.client import StackClient

# The name of the step that reads lease, record and releases.
KEPT = "lock and record"


class SeenStack:
    """`known`: lease, record and releases as they were read last; None if others may have changed
    them since."""

    def __init__(self, client: StackClient, cluster: Cluster) -> None:
        self._client, self._cluster = client, cluster
        self.known: Kept | None = None
        # Manifests of releases, which never change, by id.
        self._packed: Mapping[str, str] = {}
        # Of the stack, at the last look; None if they may be others by now.
        self._objects: Sequence[Named] | None = None

    def forget(self) -> None:
        """From here on others may change it."""
        self.known = self._objects = None

    def wrote(self, record: Record | None) -> None:
        """The record is another one; None if that is not known."""
        self.known = replace(self.known, record=record) if self.known and record else None

    # All that there is.

    def look(self) -> Together:
        """What runs and what is kept. Raises SpinstackError without an answer."""
        client = self._client
        asked = together.look(self._cluster, client.stack, services=True)
        step = replace(self.step, commands=(asked,), must=False)
        script = Script((client.ready, client.platform.has_access(), step))
        result = client.succeeded(client.node.run(script))
        if not result[step.name].ok:
            what = f"{client.platform.title} does not say what is running"
            raise client.failure(result[step.name], what)
        seen = self.read(result.output(step.name))
        self.known, self._packed, self._objects = seen.kept, seen.packed, seen.objects
        return seen

    @property
    def step(self) -> Step:
        """Prints what runs and what is kept. Named as the platform's own step that does so."""
        step = self._client.platform.states()
        return replace(step, commands=(together.look(self._cluster, self._client.stack),))

    def read(self, output: str) -> Together:
        """From what that step printed."""
        step = StepResult(self.step.name, output, 0)
        return self._client.read(step, lambda text: together.read(text, self._client.stack))

    # What is kept.

    def kept(self) -> Kept:
        """Lease, record and releases as they are now."""
        before = self.known
        step = replace(self.kept_step, must=True)
        self.known = self.read_kept(self._client.run(step)[KEPT])
        if before is None or before.lock != self.known.lock:
            # Whoever had the lock since the last look may have made others.
            self._objects = None
        return self.known

    @property
    def kept_step(self) -> Step:
        return Step(KEPT, (records.look(self._cluster, self._client.stack),), must=False)

    def read_kept(self, step: StepResult) -> Kept:
        return self._client.read(step, lambda text: records.read(text, self._client.stack))

    def objects(self) -> Sequence[Named]:
        """The stack's own that a change may remove, as they were before it."""
        if self._objects is None:
            step = apply.list_step(self._cluster, self._client.stack)
            self._objects = self._client.read(self._client.run(step)[step.name], apply.read_list)
        return self._objects

    # Releases.

    def manifests(self, release: str) -> str:
        """What a release consists of. Raises ReleaseGone if it is not kept."""
        packed = self._packed.get(release)
        if packed is None:
            packed = self._read_packed(release)
        if self._client.node.dry:
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
        client = self._client
        look = records.look_manifests(self._cluster, client.stack, release)
        step = Step("read the release", (look,), must=False)
        result = client.run(step)[step.name]
        if not result.ok and NOT_FOUND in result.output:
            raise ReleaseGone(
                f"the release {release} is not kept any more",
                where=self._release_place(release),
                remedy="go back to another one of `invoke releases`, or deploy",
            )
        if not result.ok and not client.node.dry:
            raise client.failure(result, f"the release {release} can't be read")
        return "".join(bare(result.output))

    def _release_place(self, release: str) -> str:
        return f"{self._cluster.where}, {records.release_name(self._client.stack, release)}"

    def before(self, release: str) -> str:
        """The manifests of the release that runs, empty if there is none: a change can't be taken
        back then, but must be possible."""
        try:
            return self.manifests(release) if release else ""
        except ReleaseGone:
            return ""


def owner(noted: Mapping[str, object]) -> Owner | None:
    """Who left a change unfinished, as noted in the record."""
    return parse_owner(json.dumps(dict(noted))) if noted else None


def note(release: Release) -> ReleaseNote:
    """What was noted about a release that is kept."""
    return parse_note(json.dumps(dict(release.note)), release.id)
