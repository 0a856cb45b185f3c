"""The stack on the login node: what can be asked and done there, a script each.

Composes the steps of `rancher1/commands.py` and `upload.py` into scripts, runs them over the one
connection and reads the answers into values.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from spinstack.errors import SpinstackError
from spinstack.platforms import base
from spinstack.platforms.base import ServiceState
from spinstack.platforms.rancher1 import commands
from spinstack.platforms.rancher1 import states as rancher_states
from spinstack.remote import changes, job, lock_steps, notes
from spinstack.remote import upload as remote_upload
from spinstack.remote.errors import (
    MUST,
    Changed,
    Locked,
    garbled,
    must_not_fail,
    not_locked,
    not_written,
    refused,
)
from spinstack.remote.found import Found
from spinstack.remote.notes import ReleaseNote
from spinstack.remote.owner import Owner, parse_owner
from spinstack.remote.upload import Release
from spinstack.transport.command import Command, joined
from spinstack.transport.login_node import Answer, LoginNode
from spinstack.transport.script import Script, ScriptResult, Step

if TYPE_CHECKING:
    from spinstack.config.settings import Destination
    from spinstack.remote.follow import Follow
    from spinstack.remote.job import Job

# Seconds that a change is followed at most; it has limits of its own for each of its steps.
FOLLOWED = 7200.0


class RemoteStack:
    """One stack at one destination, through one connection."""

    def __init__(
        self, node: LoginNode, destination: Destination, stack: str, env_file: str
    ) -> None:
        self._node = node
        self._to = destination
        self._stack = stack
        self._env_file = env_file
        # The lock that we hold: what changes the stack looks first whether it is ours still.
        self._held: Owner | None = None

    @property
    def root(self) -> PurePosixPath:
        """The stack's directory on the global file system."""
        return PurePosixPath(self._to.project_dir, self._stack)

    @property
    def node(self) -> LoginNode:
        """The connection that it works through."""
        return self._node

    @property
    def stack(self) -> str:
        return self._stack

    def run(self, steps: Sequence[Step], seconds: float = 120) -> ScriptResult:
        """Run steps of Rancher's in one script."""
        return self._run(Script((self._ready(), *steps), seconds=seconds))

    def _ready(self) -> Step:
        return commands.ready_step(self._to.modules, self._to.environment)

    def look(self, lock: Owner | None = None) -> Found:
        """Who we are there, whether Rancher has a key for us, what runs, who is at it.

        With `lock` it takes the lock first. Raises Locked when somebody else has it.
        """
        steps = (
            Step("uid", (Command("id", "-u"),)),
            *((lock_steps.lock_step(self.root, lock),) if lock else ()),
            self._ready(),
            # First: a change that ends meanwhile is then seen as one that is under way.
            *(() if lock else (self._read_lock, changes.under_way_step(self.root))),
            notes.read_current_step(self.root),
            notes.read_unfinished_step(self.root),
            commands.key_step(),
            rancher_states.states_if_key_step(),
        )
        self._held = lock or self._held
        result = self._node.run(Script(steps))
        self._must_be_locked(result)
        self._check(result)
        has_key = result["rancher key"].ok
        if has_key and not result["states"].ok:
            raise must_not_fail(result["states"], self._node.name)
        current = PurePosixPath(result.output("current release").strip()).name
        return Found(
            uid=result.output("uid").strip(),
            has_key=has_key,
            states=self._read(result["states"].output) if has_key else [],
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
        if step is None or not step.ok or self._node.dry:
            return None
        return parse_owner(step.output) or Owner("somebody", "some machine")

    def unlock(self) -> None:
        """Give our lock back, if we have it."""
        if self._held:
            held, self._held = self._held, None
            self._node.run(Script((lock_steps.free_lock_step(self.root, held),)))

    def at_work(self) -> tuple[Owner | None, bool]:
        """Who has the lock, None if nobody has it; whether a change of theirs gave a sign of life
        in the last minute."""
        result = self._run(Script((self._read_lock, changes.under_way_step(self.root))))
        age = changes.age(result)
        return self._lock_owner(result), age is not None and age < changes.SILENT_SECONDS

    @property
    def _read_lock(self) -> Step:
        return lock_steps.read_lock_step(self.root)

    def _ours(self) -> tuple[Step, ...]:
        """Nothing where no lock was taken."""
        return (lock_steps.still_ours_step(self.root, self._held),) if self._held else ()

    def break_lock(self, owner: Owner) -> None:
        """Remove the owner's lock. Raises Locked if it is somebody else's by now."""
        steps = (lock_steps.break_lock_step(self.root, owner), self._read_lock)
        result = self._node.run(Script(steps))
        if not result["break the lock"].ok:
            now = self._lock_owner(result)
            if now and now != owner:
                raise Locked(now, self.root)
            raise not_written(result.output("break the lock"), str(self.root), "the lock's end")

    def says_something(self) -> bool:
        """Whether the change that has the lock gives a sign of life within some seconds."""
        step = changes.listen_step(self.root)
        return self._node.run(Script((step,)))[step.name].ok

    def make_key(self, answer: Answer) -> None:
        """Run `spin-keygen.sh`, which asks for a password. Raises SpinstackError if it fails."""
        loads = [Command("module", "load", name) for name in self._to.modules]
        done = self._node.converse(joined([*loads, Command("spin-keygen.sh")], "&&"), answer)
        if not done.ok:
            raise SpinstackError(
                "no key for Rancher could be made",
                where=f"spin-keygen.sh at {self._node.name}",
                remedy="try again with the right password (without the one-time code)",
                details=done.stdout.strip(),
            )

    def states(self) -> list[ServiceState]:
        """The stack's services as Rancher sees them now."""
        result = self._run(Script((self._ready(), rancher_states.states_step())))
        return self._read(result.output("states"))

    def _read(self, output: str) -> list[ServiceState]:
        """Raises SpinstackError for what is no answer: it must not count as "nothing runs"."""
        if rancher_states.is_garbled(output):
            raise garbled(output, self._node.name)
        return rancher_states.parse_states(output, self._stack)

    def start(
        self,
        change: Job,
        found: Found,
        made: Release | None,
        note: ReleaseNote,
        following: Follow,
    ) -> int | None:
        """Take the lock, upload the release if there is one, start the change and follow it;
        the exit code of the following.

        Raises Locked, Changed when it is not as it was found any more, SpinstackError when the
        release can't be written; nothing that runs has been touched then.
        """
        upload = (
            (remote_upload.upload_step(made), notes.note_release_step(change.directory, note))
            if made
            else ()
        )
        take = lock_steps.hand_over_step if self._held else lock_steps.lock_step
        steps = (
            take(self.root, change.owner),
            notes.as_it_was_step(self.root, found.current, found.unfinished),
            *upload,
            lock_steps.still_ours_step(self.root, change.owner),
            job.start_step(change),
            changes.follow_step(self.root, change.id),
        )
        self._held = change.owner

        def begin(step: str) -> None:
            if step == "start":
                # The change gives it back itself, also if we are interrupted here.
                self._held = None
            following.outer(step)

        script = Script(steps, seconds=FOLLOWED)
        result = self._node.run(
            script, on_begin=begin, on_line=following.line, on_sent=following.sent
        )
        self._must_be_locked(result)
        if result.failed:
            self._held = change.owner
            self.unlock()
            if result.failed.name == "as it was":
                raise Changed(self.root)
            self._check(result)
            raise not_written(result.failed.output, str(change.directory), "the release")
        return result["follow"].code

    def follow(self, following: Follow) -> int | None:
        """Go on following a change that runs there; the exit code of that."""
        step = changes.follow_step(self.root, following.id, following.journal.count)
        following.started = True
        following.rejoin()
        script = Script((step,), seconds=FOLLOWED)
        return self._node.run(script, on_line=following.line)["follow"].code

    def hold(self, job_id: str) -> None:
        """Let a change that runs there make nothing final while somebody is asked about it."""
        self._node.run(Script((changes.hold_step(self.root, job_id),), seconds=20))

    def go_on(self, job_id: str) -> None:
        """The end of `hold`."""
        self._node.run(Script((changes.go_on_step(self.root, job_id),), seconds=20))

    def newest_change(self, wanted: str = "") -> str:
        """The id of the newest change, or of the newest one whose id begins so; empty if there
        is none."""
        step = changes.newest_step(self.root, wanted)
        return self._node.run(Script((step,)))[step.name].output.strip()

    def ask_to_stop(self, job_id: str) -> None:
        """Ask a change that runs there to take back what it has done."""
        result = self._node.run(Script((changes.stop_step(self.root, job_id),)))
        if result.failed:
            raise not_written(result.failed.output, str(self.root), "the wish to stop")

    def confirm(self, directory: PurePosixPath) -> None:
        """Remove the old containers of an upgrade to the release in `directory`, and mark it
        as the current one."""
        confirm = commands.confirm_step(self._stack, self._env_file)
        result = self._run(
            Script(
                (*self._ours(), self._ready(), _enter(directory), confirm),
                seconds=base.SLOW + 60,
            )
        )
        self._complain(result, "confirm", "confirm", base.SLOW)
        current = notes.current_step(self.root, directory.name)
        marked = self._node.run(Script((current, notes.finished_step(self.root))))
        if marked.failed:
            raise not_written(marked.failed.output, str(self.root), "which release runs")

    def roll_back(self, directory: PurePosixPath, services: Sequence[str]) -> None:
        """Bring the old containers of these services back."""
        steps = commands.rollback_steps(self._stack, self._env_file, services)
        result = self._run(
            Script(
                (*self._ours(), self._ready(), _enter(directory), *steps),
                seconds=base.SLOW * len(steps) + 60,
            )
        )
        for step in steps:
            self._complain(result, step.name, "roll back", base.SLOW)
        self.forget_upgrade()

    def forget_upgrade(self) -> None:
        """It is over, or never began at Rancher."""
        self._run(Script((notes.finished_step(self.root),)))

    def releases(self) -> list[tuple[ReleaseNote, bool]]:
        """The releases that are there, oldest first, each with whether it was confirmed."""
        step = notes.read_releases_step(self.root)
        output = self._run(Script((step,))).output(step.name)
        return [pair for pair in notes.parse_releases(output) if _is_id(pair[0].id)]

    def remove_releases(self, ids: Sequence[str]) -> None:
        """Remove uploaded releases, containers' files among them: only those nobody needs."""
        paths = [str(self.root / "releases" / name) for name in ids]
        result = self._node.run(Script((Step("prune", (Command("rm", "-rf", *paths),)),)))
        if result.failed:
            raise not_written(result.failed.output, str(self.root), "the releases")

    def _run(self, script: Script) -> ScriptResult:
        return self._check(self._node.run(script))

    def _check(self, result: ScriptResult) -> ScriptResult:
        """Raises SpinstackError if a step failed that had to succeed."""
        failed = result.failed
        if failed is None or failed.name not in MUST:
            return result
        raise must_not_fail(failed, self._node.name)

    def _complain(
        self, result: ScriptResult, step: str, verb: str, seconds: int | None = None
    ) -> None:
        """Raises SpinstackError for an exit code or a complaint of the CLI, which had so many
        seconds (QUICK if not told)."""
        seconds = base.QUICK if seconds is None else seconds
        where = f"{self._stack} at {self._to.environment}"
        wrong = refused(result[step], f"Rancher did not {verb} {self._stack}", where, seconds)
        if wrong:
            raise wrong


def _enter(directory: PurePosixPath) -> Step:
    return Step("enter the release", (Command("cd", str(directory)),))


def _is_id(name: str) -> bool:
    return remote_upload.ID.fullmatch(name) is not None
