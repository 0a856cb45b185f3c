"""Changing what runs: under the lock, watched, and taken back when it fails.

Every task that changes a stack goes through `begun`, which logs in once, takes the lock and
gives it back.
"""

from __future__ import annotations

import contextlib
import getpass
import os
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from spinstack import bookkeeping, probe
from spinstack.bookkeeping import Mark, ReleaseNote
from spinstack.cattle import ServiceState
from spinstack.command import Command
from spinstack.errors import SpinstackError
from spinstack.login_node import ConnectionLost
from spinstack.release import Release
from spinstack.remote import Remote, Situation
from spinstack.remote_failures import Locked, LockLost
from spinstack.upgrading import Plan
from spinstack.waiting import ServicesFailed, SiteFailed, Watcher, address, health_checks

if TYPE_CHECKING:
    from spinstack.console import StepDisplay
    from spinstack.login_node import Answer, LoginNode
    from spinstack.session import Session

# Seconds that the site may take to answer well after its services are healthy; less where
# healthy_within is less.
PROBE_SECONDS = 60.0
# Seconds for services that were on their way when we came to arrive somewhere.
SETTLE_SECONDS = 60


def make_remote(session: Session, node: LoginNode) -> Remote:
    """The session's stack through a connection."""
    settings = session.settings
    return Remote(node, session.destination, settings.stack, settings.env_file)


@contextmanager
def begun(session: Session, doing: str) -> Iterator[Changing]:
    """Log in, make a Rancher key if there is none, take the lock, see what runs."""
    me = bookkeeping.mark(_who(session), socket.gethostname(), doing)
    with session.login_node() as node:
        remote = make_remote(session, node)
        try:
            with session.console.step("log in") as step:
                situation = _looked(session, remote, me)
                step.done(f"uid {situation.uid}" if situation.uid else "")
            if not situation.has_key or session.dry:
                situation = _with_key(session, remote)
            yield Changing(session, remote, me, situation)
        finally:
            # Where the connection is gone the lock stays, and tells whose it is.
            with contextlib.suppress(SpinstackError):
                remote.unlock()


def _who(session: Session) -> str:
    return session.destination.user or getpass.getuser()


def _looked(session: Session, remote: Remote, me: Mark) -> Situation:
    """Look, under the lock. One that a process of ours left behind is taken over."""
    try:
        return remote.look(me)
    except Locked as locked:
        if locked.owner is None or not locked.owner.is_of(me) or _alive(locked.owner.pid):
            raise
        session.console.note(f"the lock of {locked.owner.told()} was left behind: taken over")
        remote.break_lock()
        return remote.look(me)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _with_key(session: Session, remote: Remote) -> Situation:
    if session.dry:
        session.console.result("# only if the account has no key for Rancher yet:")
    with session.console.step("Rancher key"):
        remote.make_key(key_password(session))
        return remote.look()


def key_password(session: Session) -> Answer:
    """Answers spin-keygen.sh: from the rehearsal's file, or by asking the person.

    A login answer is the password with six digits after it; the key needs the password alone.
    """
    from spinstack import login_prompt

    destination = session.destination
    path = destination.login_answer_file

    def answer(prompt: str) -> str | None:
        if "password" not in prompt.lower():
            return None
        if path and not destination.practise:
            return re.sub(r"\d{6}$", "", login_prompt.answers_from(path)(prompt))
        return login_prompt.ask_on_terminal(f"{prompt} (without one-time code): ")

    return answer


@dataclass
class Changing:
    """A change under way: who makes it, what was found, what is to be done."""

    session: Session
    remote: Remote
    me: Mark
    situation: Situation
    plan: Plan = Plan.UPGRADE

    def note(self, made: Release) -> ReleaseNote:
        """What is written down beside a new release."""
        commit, dirty = self._commit()
        return ReleaseNote(
            id=made.id,
            who=self.me.who,
            host=self.me.host,
            when=self.me.when,
            destination=self.session.destination.name,
            commit=commit,
            dirty=dirty,
            images=dict(self.session.stack.images),
        )

    def _commit(self) -> tuple[str, bool]:
        """The stack's git commit, and whether there are changes beyond it; empty without git."""
        runner, directory = self.session.runner, str(self.session.directory)
        try:
            head = runner.run(
                Command("git", "-C", directory, "rev-parse", "HEAD"), timeout=10, changes=False
            )
            status = runner.run(
                Command("git", "-C", directory, "status", "--porcelain", "--", "."),
                timeout=30,
                changes=False,
            )
        except SpinstackError:
            return "", False
        return (head.stdout.strip(), bool(status.stdout.strip())) if head.ok else ("", False)

    def bring_up(self, directory: PurePosixPath) -> str:
        """Create or upgrade to the release in `directory`, wait, ask the site; its address.

        On a failure or Ctrl-C shows why, and brings back what ran before.
        """
        try:
            self._settle(directory)
            self._apply(directory)
            return self._ask_site(self._wait())
        except KeyboardInterrupt:
            failure = SpinstackError("stopped by Ctrl-C", where=self.session.settings.stack)
            self._undo(directory, failure)
            raise failure from None
        except LockLost:
            # What runs may be somebody else's by now: not ours to take back.
            raise
        except SpinstackError as failure:
            if isinstance(failure, ServicesFailed):
                failure.details = self._last_lines(failure.services)
            if isinstance(failure, ServicesFailed) and not isinstance(failure, SiteFailed):
                checks = health_checks(self.session.stack.rancher, failure.services)
                failure.details = "\n".join([failure.details, *checks])
            self._undo(directory, failure)
            raise

    def confirm(self, directory: PurePosixPath) -> None:
        """The second step: the old containers go, the release is the current one."""
        with self.session.console.step("confirm"):
            self.remote.confirm(directory)

    def _settle(self, directory: PurePosixPath) -> None:
        """Let services arrive that were on their way when we came, and take back what is
        stuck in the upgrade that we go on with."""
        if self.situation.moving:
            with self.session.console.step("let it settle") as step:
                step.done(", ".join(self.situation.moving))
                self.remote.watch(SETTLE_SECONDS, _settled)
                self.situation = self.remote.look()
        stuck = [state.name for state in self.situation.states if state.unconfirmed and state.stuck]
        if self.plan is Plan.RESUME and stuck:
            with self.session.console.step("roll back") as step:
                self.remote.roll_back(directory, stuck)
                step.done(", ".join(stuck))
                self.situation = self.remote.look()

    def _apply(self, directory: PurePosixPath) -> None:
        upgrade = self.plan is not Plan.CREATE
        mark = bookkeeping.mark(
            self.me.who,
            self.me.host,
            self.me.doing,
            release=directory.name,
            previous=self.situation.current,
        )
        if self.session.dry:
            self.session.console.result("# if the stack is not there yet: up; else: upgrade")
            self.remote.apply(directory, mark, upgrade=False)
            upgrade = True
        with self.session.console.step("upgrade" if upgrade else "start"):
            stop_first = self.situation.not_upgradable
            self.remote.apply(directory, mark, upgrade=upgrade, stop_first=stop_first)

    def _wait(self) -> list[ServiceState]:
        """Wait until every service of the stack is up; their states."""
        session = self.session
        watcher = Watcher(session.stack.service_names)
        limit = session.destination.healthy_within
        with session.console.step("wait until healthy") as step:

            def on_states(states: list[ServiceState]) -> bool:
                done = watcher.take(states)
                step.detail(watcher.summary)
                step.done(watcher.summary)
                return done

            self.remote.watch(limit, on_states)
            if session.dry:
                return []
            watcher.judge(limit, session.settings.stack)
        return watcher.states

    def _ask_site(self, states: list[ServiceState]) -> str:
        """Ask the site itself, from here or, where it is out of reach, from the login node."""
        session = self.session
        if session.dry:
            for path in session.destination.probe_paths:
                session.console.result(f"$ GET {path} of the site's address")
            return ""
        url = address(states, session.destination)
        with session.console.step("ask the site") as step:
            if not url:
                step.done("no port is published")
                return ""
            for path in session.destination.probe_paths:
                step.done(self._ask_page(url + path, step))
        return url + "/"

    def _ask_page(self, page: str, step: StepDisplay) -> str:
        """Ask one page until it answers well; what it said. Raises SiteFailed."""
        session = self.session
        limit = min(PROBE_SECONDS, session.destination.healthy_within)
        answer = probe.until_ok(
            page, seconds=limit, asked=lambda said: step.detail(f"{page}: {said}")
        )
        seen = str(answer)
        ok = answer.ok
        if not answer.reached:
            status = self.remote.ask_site(page)
            ok = 200 <= status < 300
            seen = f"{status or 'no answer'} from the login node ({answer} from here)"
        told = f"{page}: {seen}"
        if not ok:
            step.done(told)
            names = [session.stack.public_service]
            names += [name for name in session.stack.service_names if name not in names]
            raise SiteFailed("the site does not answer as it should", names, where=told)
        return told

    def _last_lines(self, services: list[str]) -> str:
        """The last lines of the services' logs, each under its name."""
        parts = []
        for name in services:
            try:
                log = self.remote.logs(name).strip()
            except SpinstackError as error:
                log = f"(its log could not be read: {error.what})"
            parts.append(f"--- {name}, last lines ---\n{log or '(it printed nothing)'}")
        return "\n".join(parts)

    def _undo(self, directory: PurePosixPath, failure: SpinstackError) -> None:
        """Roll back if there is something to go back to; adds to the failure what to do now."""
        if isinstance(failure, ConnectionLost):
            failure.now = "unknown: the connection ended before anybody could look"
            failure.remedy = "run the same command again: it goes on where this one was"
            return
        if self.plan is Plan.CREATE:
            failure.now = "what was started stays, to be looked at; the site is not up"
            failure.remedy = failure.remedy or (
                "mend the cause and deploy again; `invoke logs` shows more, `invoke rm` starts over"
            )
            return
        try:
            with self.session.console.step("roll back") as step:
                names = [state.name for state in self.remote.states() if state.unconfirmed]
                watcher = Watcher(names)
                if names:
                    self.remote.roll_back(directory, names)
                    self.remote.watch(SETTLE_SECONDS, watcher.take)
                else:
                    self.remote.forget_upgrade()
                step.done(watcher.summary or "nothing had been changed")
        except SpinstackError as error:
            told = (failure.details, f"and the rollback failed: {error.what}", error.details)
            failure.details = "\n".join(filter(None, told))
            failure.now = "the upgrade is unfinished: the containers from before are kept, stopped"
            failure.remedy = "when its cause is over: `invoke status`, then `invoke rollback`"
            return
        if names and not watcher.all_up:
            failure.now = "the version before was started again, but is not well"
            failure.remedy = "invoke status"
            return
        failure.now = "the version before runs again"
        failure.remedy = "mend the cause and deploy again"


def _settled(states: list[ServiceState]) -> bool:
    return not any(state.transitioning == "yes" for state in states)
