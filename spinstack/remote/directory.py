"""A stack whose lock, notes and releases are in a directory on the global file system.

Combines the steps of its platform, `lock_steps.py`, `notes.py` and `upload.py` into scripts, runs
them over the one connection and reads the answers into values.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from spinstack.errors import SpinstackError
from spinstack.remote import changes, job, lock_steps, notes, upload
from spinstack.remote.errors import (
    MUST,
    Changed,
    Locked,
    must_not_fail,
    not_locked,
    not_written,
    refused,
)
from spinstack.remote.found import Found
from spinstack.remote.notes import ReleaseNote
from spinstack.remote.owner import Owner, parse_owner
from spinstack.remote.stack import Noted, RemoteStack, Seen, Trial
from spinstack.remote.upload import Release
from spinstack.rules.finding import Finding
from spinstack.transport.command import Command, Raw
from spinstack.transport.login_node import LoginNode
from spinstack.transport.script import Script, ScriptResult, Step, StepResult, json_object

if TYPE_CHECKING:
    from spinstack.config.settings import Destination
    from spinstack.config.stack import Stack
    from spinstack.platforms.base import ChangeCommands, Platform
    from spinstack.remote.follow import Follow
    from spinstack.remote.job import Job

# Seconds to follow a change at most; each of its steps has a limit of its own.
FOLLOWED = 7200.0


class DirectoryStack(RemoteStack):
    """One stack at one destination, over one connection."""

    def __init__(
        self,
        node: LoginNode,
        destination: Destination,
        platform: Platform,
        stack: str,
        env_file: str,
    ) -> None:
        super().__init__(node, destination, platform, stack)
        self._env_file = env_file
        # The lock that we hold: whatever changes the stack first checks that it is still ours.
        self._held: Owner | None = None

    @property
    def root(self) -> PurePosixPath:
        """The stack's directory on the global file system."""
        return PurePosixPath(self.destination.project_dir, self.stack)

    @property
    def place(self) -> str:
        return str(self.root)

    @property
    def lock_place(self) -> str:
        return str(self.root / "lock")

    @property
    def changes_place(self) -> str:
        return str(self.root / "changes")

    @property
    def releases_place(self) -> str:
        return str(self.root / "releases")

    def running_release(self, release: str) -> str:
        return str(self.root / "releases" / (release or "-"))

    def failure(self, step: StepResult, what: str = "") -> SpinstackError:
        if step.name in MUST:
            return must_not_fail(step, self.node.name)
        return super().failure(step, what)

    def look(self, lock: Owner | None = None) -> Found:
        """Who we are there, whether the account has access, what is running, who is changing it.

        With `lock`, take the lock first. Raises Locked if somebody else has it.
        """
        has_access = self.platform.has_access()
        states = self.platform.states(if_access=True)
        steps = (
            Step("uid", (Command("id", "-u"),)),
            *((lock_steps.lock_step(self.root, lock),) if lock else ()),
            self.ready,
            *(() if lock else self.lock_steps()),
            notes.read_current_step(self.root),
            notes.read_unfinished_step(self.root),
            has_access,
            states,
        )
        self._held = lock or self._held
        result = self.node.run(Script(steps))
        self._must_be_locked(result)
        self.succeeded(result)
        access = result[has_access.name].ok
        if access and not result[states.name].ok:
            what = f"{self.platform.title} does not say what is running"
            raise self.failure(result[states.name], what)
        current = PurePosixPath(result.output("current release").strip()).name
        return Found(
            uid=result.output("uid").strip(),
            has_access=access,
            states=self.read_states(result.output(states.name)) if access else [],
            current=current if result["current release"].ok else "",
            unfinished=parse_owner(result.output("unfinished")),
            lock=self._lock_owner(result),
            last_sign_of_life=changes.age(result),
        )

    def _must_be_locked(self, result: ScriptResult) -> None:
        if result.failed and result.failed.name == "lock":
            self._held = None
            raise not_locked(result.failed.output, self.root)

    def _lock_owner(self, result: ScriptResult) -> Owner | None:
        """Who has the lock, from the step that reads it; None if nobody has it."""
        step = next((step for step in result.steps if step.name == "lock owner"), None)
        if step is None or not step.ok or self.node.dry:
            return None
        return parse_owner(step.output) or Owner("somebody", "some machine")

    def unlock(self) -> None:
        """Give our lock back, if we have it."""
        if self._held:
            held, self._held = self._held, None
            self.node.run(Script((lock_steps.free_lock_step(self.root, held),)))

    def lock_steps(self) -> tuple[Step, ...]:
        # The lock first, so that a change that ends meanwhile is seen as still running.
        return (lock_steps.read_lock_step(self.root), changes.under_way_step(self.root))

    def read_lock(self, result: ScriptResult) -> tuple[Owner | None, int | None]:
        return self._lock_owner(result), changes.age(result)

    def overview_steps(self) -> tuple[Step, ...]:
        current = self.root / "current"
        return (
            self.platform.states(),
            self.platform.containers(),
            Step("release", (Command("readlink", str(current)),), must=False),
            _file_step("note", current / "release.json"),
            _file_step("unfinished", self.root / "unfinished.json"),
        )

    def read_overview(self, outputs: Mapping[str, str]) -> Seen:
        platform = self.platform
        services = self.read_states(outputs.get(platform.states().name, ""))
        containers = self.read_containers(outputs.get(platform.containers().name, ""))
        noted = Noted(
            release=PurePosixPath(outputs.get("release", "").strip()).name,
            note=json_object(outputs.get("note", "")) or {},
            unfinished=json_object(outputs.get("unfinished", "")) or {},
        )
        return Seen(services, containers, noted)

    def make_release(self, stack: Stack) -> Release:
        more = self.platform.release_files(stack, self.destination)
        return upload.make(stack, self.destination, more)

    def _ours(self) -> tuple[Step, ...]:
        """The check that the lock is still ours; nothing if we took none."""
        return (lock_steps.still_ours_step(self.root, self._held),) if self._held else ()

    def break_lock(self, owner: Owner) -> bool:
        steps = (lock_steps.break_lock_step(self.root, owner), lock_steps.read_lock_step(self.root))
        result = self.node.run(Script(steps))
        if not result["break the lock"].ok:
            now = self._lock_owner(result)
            if now and now != owner:
                raise Locked(now, self.lock_place)
            what = "the removal of the lock"
            raise not_written(result.output("break the lock"), str(self.root), what)
        return True

    def says_something(self) -> bool:
        """Whether there is a heartbeat of the change that has the lock within some seconds."""
        step = changes.listen_step(self.root)
        return self.node.run(Script((step,)))[step.name].ok

    def start(
        self,
        change: Job,
        found: Found,
        made: Release | None,
        note: ReleaseNote,
        follow: Follow,
    ) -> int | None:
        """Take the lock, upload the release if there is one, start the change and follow it.
        Returns the exit code of the follow.

        Raises Locked, Changed if things are no longer as they were found, SpinstackError if the
        release can't be written; nothing that is running has been touched then.
        """
        uploading = (
            (upload.upload_step(made), notes.note_release_step(change.directory, note))
            if made
            else ()
        )
        take = lock_steps.hand_over_step if self._held else lock_steps.lock_step
        steps = (
            take(self.root, change.owner),
            notes.as_it_was_step(self.root, found.current, found.unfinished),
            *uploading,
            lock_steps.still_ours_step(self.root, change.owner),
            job.start_step(change),
            changes.follow_step(self.root, change.id),
        )
        self._held = change.owner
        try:
            result = self.node.run(
                Script(steps, seconds=FOLLOWED),
                on_begin=follow.outer,
                on_line=follow.line,
                on_sent=follow.sent,
            )
        finally:
            # Once started, the change gives the lock back itself, even if we are interrupted.
            self._held = None if follow.started else self._held
        self._must_be_locked(result)
        if result.failed:
            self._held = change.owner
            self.unlock()
            raise self._not_started(result.failed, change)
        return result["follow"].code

    def _not_started(self, step: StepResult, change: Job) -> SpinstackError:
        if step.name == "as it was":
            return Changed(self.place)
        if step.name in MUST:
            return must_not_fail(step, self.node.name)
        return not_written(step.output, str(change.directory), "the release")

    def follow(self, follow: Follow) -> int | None:
        """Continue to follow a change that is running there. Returns the exit code of the
        follow."""
        step = changes.follow_step(self.root, follow.id, follow.journal.count)
        follow.started = True
        follow.rejoin()
        script = Script((step,), seconds=FOLLOWED)
        return self.node.run(script, on_line=follow.line)["follow"].code

    def hold(self, job_id: str) -> None:
        """Keep a change that is running there from making anything final while somebody is asked
        about it."""
        self.node.run(Script((changes.hold_step(self.root, job_id),), seconds=20))

    def go_on(self, job_id: str) -> None:
        """End `hold`."""
        self.node.run(Script((changes.go_on_step(self.root, job_id),), seconds=20))

    def newest_change(self, wanted: str = "") -> str:
        """The id of the newest change, or of the newest one whose id starts with `wanted`; empty
        if there is none."""
        step = changes.newest_step(self.root, wanted)
        return self.node.run(Script((step,)))[step.name].output.strip()

    def ask_to_stop(self, job_id: str) -> None:
        """Ask a change that is running there to roll back what it has done."""
        result = self.node.run(Script((changes.stop_step(self.root, job_id),)))
        if result.failed:
            raise not_written(result.failed.output, str(self.root), "the request to stop")

    def confirm(self, release: str) -> None:
        confirm = Step("confirm", (self._commands.confirm,), must=False)
        self._in_release(release, "confirm", confirm)
        current = notes.current_step(self.root, release)
        marked = self.node.run(Script((current, notes.finished_step(self.root))))
        if marked.failed:
            raise not_written(marked.failed.output, str(self.root), "the mark of the new release")

    def roll_back(self, release: str, services: Sequence[str]) -> None:
        """One service at a time: if several are given at once, one that has nothing to go back
        to blocks the others."""
        put_back = self._commands.put_back
        steps = [Step(f"roll back {name}", (put_back(name),), must=False) for name in services]
        self._in_release(release, "roll back", *steps)
        self.forget_upgrade()

    @property
    def _commands(self) -> ChangeCommands:
        return self.platform.change(self.stack, self._env_file, creating=False)

    def _in_release(self, release: str, verb: str, *steps: Step) -> None:
        """Run steps of a change in its release's directory. Raises SpinstackError if the platform
        complains about one."""
        slow = self.platform.slow
        enter = Step("enter the release", (Command("cd", str(self.root / "releases" / release)),))
        script = (*self._ours(), self.ready, enter, *steps)
        result = self.node.run(Script(script, seconds=slow * len(steps) + 60))
        self.succeeded(result)
        what = f"{self.platform.title} did not {verb} {self.stack}"
        for step in steps:
            wrong = refused(result[step.name], self.platform, what, self.where, slow)
            if wrong:
                raise wrong

    def forget_upgrade(self) -> None:
        """The upgrade is over, or never began."""
        self.node.run(Script((notes.finished_step(self.root),)))

    def releases(self) -> list[tuple[ReleaseNote, bool]]:
        """The uploaded releases, oldest first, each with whether it was confirmed."""
        step = notes.read_releases_step(self.root)
        output = self.node.run(Script((step,))).output(step.name)
        return [pair for pair in notes.parse_releases(output) if _is_id(pair[0].id)]

    def tried(self, note: ReleaseNote) -> Trial:
        """Its files are read there as an upgrade would read them; no more can be tried."""
        directory = self.root / "releases" / note.id
        enter = Step("enter the release", (Command("cd", str(directory)),))
        render = Step("render", (self._commands.render,), must=False)
        result = self.node.run(
            Script((self.ready, enter, render), seconds=self.platform.quick + 60)
        )
        self.succeeded(result)
        what = f"{self.platform.title} can't use the files of the release {note.id}"
        error = refused(result["render"], self.platform, what, self.where, self.platform.quick)
        remedy = "go back to another release (`invoke releases`)"
        problem = f"{what}: {error.details}" if error else ""
        found = [Finding("release-files", str(directory), problem, remedy)] if error else []
        title = self.platform.title
        how = (
            f"{title} has read its files (it can't try an upgrade), the registry was asked for its"
        )
        return Trial(found, [*note.images.values()], f"{how} images")

    def remove_releases(self, ids: Sequence[str]) -> None:
        """Remove uploaded releases, including files that containers mount: only for those that
        are no longer needed."""
        paths = [str(self.root / "releases" / name) for name in ids]
        result = self.node.run(Script((Step("prune", (Command("rm", "-rf", *paths),)),)))
        if result.failed:
            raise not_written(result.failed.output, str(self.root), "the releases directory")


def _file_step(name: str, path: PurePosixPath) -> Step:
    """Reads a file that may be missing: releases of other tools have none."""
    return Step(name, (Command("cat", str(path), Raw("2>/dev/null")),), must=False)


def _is_id(name: str) -> bool:
    return upload.ID.fullmatch(name) is not None
