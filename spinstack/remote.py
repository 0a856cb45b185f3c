"""The stack on the login node: what can be asked and done there, a script each.

Composes the steps of `cattle.py` and `release.py` into scripts, runs them over the one
connection and reads the answers into values.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from spinstack import bookkeeping, cattle, release, service_log
from spinstack.bookkeeping import Mark, ReleaseNote
from spinstack.cattle import ServiceState
from spinstack.command import Command, joined
from spinstack.errors import SpinstackError
from spinstack.login_node import Answer, LoginNode
from spinstack.reading import Rounds
from spinstack.release import Release
from spinstack.remote_failures import (
    MUST,
    garbled,
    must_not_fail,
    not_locked,
    not_written,
    refused,
)
from spinstack.script import Script, ScriptResult, Step
from spinstack.settings import Destination

# Lines of a service's log shown when it fails.
LOG_LINES = 20

# Told the states each time they were read; a true answer ends the watching.
OnStates = Callable[[list[ServiceState]], bool]


@dataclass(frozen=True)
class Situation:
    """What was found at the login node before anything is changed there. `current`: id of the
    release that runs; `unfinished`: an upgrade that was begun and not ended."""

    uid: str
    has_key: bool
    states: list[ServiceState]
    current: str
    unfinished: Mark | None = None

    @property
    def unconfirmed(self) -> list[str]:
        return [state.name for state in self.states if state.unconfirmed]

    @property
    def not_upgradable(self) -> list[str]:
        """Services that Rancher refuses to upgrade until they have been stopped."""
        fine = ("active", "inactive", "upgraded", "upgrading")
        return [state.name for state in self.states if state.state not in fine]

    @property
    def moving(self) -> list[str]:
        """Services that are still on their way to a state."""
        return [state.name for state in self.states if state.transitioning == "yes"]


class Remote:
    """One stack at one destination, through one connection."""

    def __init__(
        self, node: LoginNode, destination: Destination, stack: str, env_file: str
    ) -> None:
        self._node = node
        self._to = destination
        self._stack = stack
        self._env_file = env_file
        # The lock that we hold: what changes the stack looks first whether it is ours still.
        self._held: Mark | None = None

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
        return cattle.ready_step(self._to.modules, self._to.environment)

    def look(self, lock: Mark | None = None) -> Situation:
        """Who we are there, whether Rancher has a key for us, what runs.

        With `lock` it takes the lock first. Raises Locked when somebody else has it.
        """
        steps = (
            Step("uid", (Command("id", "-u"),)),
            *((bookkeeping.lock_step(self.root, lock),) if lock else ()),
            self._ready(),
            bookkeeping.read_current_step(self.root),
            bookkeeping.read_unfinished_step(self.root),
            cattle.key_step(),
            cattle.states_if_key_step(),
        )
        self._held = lock or self._held
        result = self._node.run(Script(steps))
        if result.failed and result.failed.name == "lock":
            self._held = None
            raise not_locked(result.failed.output, self.root)
        self._check(result)
        has_key = result["rancher key"].ok
        if has_key and not result["states"].ok:
            raise must_not_fail(result["states"], self._node.name)
        current = PurePosixPath(result.output("current release").strip()).name
        return Situation(
            uid=result.output("uid").strip(),
            has_key=has_key,
            states=self._read(result["states"].output) if has_key else [],
            current=current if result["current release"].ok else "",
            unfinished=bookkeeping.parse_mark(result.output("unfinished")),
        )

    def unlock(self) -> None:
        """Give our lock back, if we have it."""
        if self._held:
            held, self._held = self._held, None
            self._node.run(Script((bookkeeping.free_lock_step(self.root, held),)))

    def lock_owner(self) -> Mark | None:
        """Who has the lock; None if nobody has it."""
        step = bookkeeping.read_lock_step(self.root)
        there = self._run(Script((step,)))[step.name]
        unknown = Mark("somebody", "some machine")
        return (bookkeeping.parse_mark(there.output) or unknown) if there.ok else None

    def _ours(self) -> tuple[Step, ...]:
        """Nothing where no lock was taken."""
        return (bookkeeping.still_ours_step(self.root, self._held),) if self._held else ()

    def break_lock(self) -> None:
        self._node.run(Script((bookkeeping.break_lock_step(self.root),)))

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
        result = self._run(Script((self._ready(), cattle.states_step())))
        return self._read(result.output("states"))

    def _read(self, output: str) -> list[ServiceState]:
        """Raises SpinstackError for what is no answer: it must not count as "nothing runs"."""
        if cattle.is_garbled(output):
            raise garbled(output, self._node.name)
        return cattle.parse_states(output, self._stack)

    def upload(self, made: Release, note: ReleaseNote) -> None:
        """Put the release in its place; it appears whole or not at all."""
        steps = (release.upload_step(made), bookkeeping.note_release_step(made.directory, note))
        result = self._node.run(Script(steps))
        if result.failed:
            raise not_written(result.failed.output, str(made.directory), "the release")

    def render(self, directory: PurePosixPath) -> str:
        """Let Rancher's command line read the files of a release; what it printed of them.

        Raises SpinstackError for anything it complained of, also a variable that is not
        set, which to the CLI is a mere warning.
        """
        steps = (
            *(self._ready(), _enter(directory)),
            cattle.render_step(self._stack, self._env_file),
        )
        step = self._run(Script(steps, seconds=cattle.QUICK + 30))["render"]
        complaints = cattle.complaints(step.output)
        if complaints or not step.ok:
            raise SpinstackError(
                "Rancher can't use the stack's files",
                where=str(directory),
                remedy="mend the compose file or the env file; `invoke check` may say more",
                details="\n".join(complaints) or step.output.strip(),
            )
        return step.output

    def apply(
        self,
        directory: PurePosixPath,
        begun: Mark,
        *,
        upgrade: bool,
        stop_first: Sequence[str] = (),
    ) -> None:
        """Create the stack's services or upgrade them to the release in `directory`, after
        writing down that it begins. It may end before they run.

        Raises SpinstackError for what the CLI complained of; warnings are passed over.
        """
        steps = [*self._ours(), bookkeeping.unfinished_step(self.root, begun)]
        steps += [self._ready(), _enter(directory)]
        steps += [cattle.stop_step(self._stack, name) for name in stop_first]
        if stop_first:
            # Source: Spin's own advice for a service that is not active: ten seconds or more.
            steps.append(Step("wait", (Command("sleep", "10"),)))
        step = (cattle.upgrade_step if upgrade else cattle.create_step)(self._stack, self._env_file)
        result = self._run(Script((*steps, step), seconds=cattle.SLOW + 60))
        if result.failed and result.failed.name == "note the upgrade":
            raise not_written(result.failed.output, str(self.root), "who upgrades")
        self._complain(result, step.name, "upgrade" if upgrade else "start", cattle.SLOW)

    def watch(self, seconds: int, on_states: OnStates) -> None:
        """Read the states about once a second until `on_states` says it has seen enough."""
        rounds = Rounds(self._stack, self._node.name, on_states)

        def take(step: str, line: str) -> bool:
            return step == "watch" and rounds.take(line)

        script = Script((self._ready(), cattle.watch_step(seconds)), seconds=seconds + 60)
        self._check(self._node.run(script, on_line=take))

    def confirm(self, directory: PurePosixPath) -> None:
        """Remove the old containers of an upgrade to the release in `directory`, and mark it
        as the current one."""
        confirm = cattle.confirm_step(self._stack, self._env_file)
        result = self._run(
            Script(
                (*self._ours(), self._ready(), _enter(directory), confirm),
                seconds=cattle.SLOW + 60,
            )
        )
        self._complain(result, "confirm", "confirm", cattle.SLOW)
        current = bookkeeping.current_step(self.root, directory.name)
        marked = self._node.run(Script((current, bookkeeping.finished_step(self.root))))
        if marked.failed:
            raise not_written(marked.failed.output, str(self.root), "which release runs")

    def roll_back(self, directory: PurePosixPath, services: Sequence[str]) -> None:
        """Bring the old containers of these services back."""
        steps = cattle.rollback_steps(self._stack, self._env_file, services)
        result = self._run(
            Script(
                (*self._ours(), self._ready(), _enter(directory), *steps),
                seconds=cattle.SLOW * len(steps) + 60,
            )
        )
        for step in steps:
            self._complain(result, step.name, "roll back", cattle.SLOW)
        self.forget_upgrade()

    def forget_upgrade(self) -> None:
        """It is over, or never began at Rancher."""
        self._run(Script((bookkeeping.finished_step(self.root),)))

    def releases(self) -> list[tuple[ReleaseNote, bool]]:
        """The releases that are there, oldest first, each with whether it was confirmed."""
        step = bookkeeping.read_releases_step(self.root)
        output = self._run(Script((step,))).output(step.name)
        return [pair for pair in bookkeeping.parse_releases(output) if _is_id(pair[0].id)]

    def remove_releases(self, ids: Sequence[str]) -> None:
        """Remove uploaded releases, containers' files among them: only those nobody needs."""
        paths = [str(self.root / "releases" / name) for name in ids]
        result = self._node.run(Script((Step("prune", (Command("rm", "-rf", *paths),)),)))
        if result.failed:
            raise not_written(result.failed.output, str(self.root), "the releases")

    def logs(self, service: str, lines: int = LOG_LINES) -> str:
        """The last lines that a service printed, in all its containers."""
        step = cattle.logs_step(self._stack, service, lines)
        output = self._run(Script((self._ready(), step)))[step.name].output
        return service_log.in_order(output, lines)

    def ask_site(self, url: str) -> int:
        """The HTTP status that the login node gets from the site; 0 for none."""
        words = ("curl", "-sS", "-L", "-o", "/dev/null", "-w", "%{http_code}", "--max-time", "15")
        step = Step("ask the site", (Command(*words, url),), must=False)
        output = self._run(Script((step,)))["ask the site"].output
        match = re.search(r"(\d{3})\s*$", output)
        return int(match[1]) if match else 0

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
        seconds = cattle.QUICK if seconds is None else seconds
        where = f"{self._stack} at {self._to.environment}"
        wrong = refused(result[step], f"Rancher did not {verb} {self._stack}", where, seconds)
        if wrong:
            raise wrong


def _enter(directory: PurePosixPath) -> Step:
    return Step("enter the release", (Command("cd", str(directory)),))


def _is_id(name: str) -> bool:
    return release.ID.fullmatch(name) is not None
