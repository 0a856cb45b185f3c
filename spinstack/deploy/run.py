"""Carries a change to the login node, where it goes on by itself, and looks on until it is over.

What runs, and whether somebody is at it, was looked at without a lock (`take_over.py`). The lock
is taken, the release uploaded and the job started by one script, which also follows the journal.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from spinstack.deploy import outcome as deploy_outcome
from spinstack.deploy.plan import Plan
from spinstack.errors import SpinstackError
from spinstack.remote import changes, job, journal
from spinstack.remote.errors import NotWritten
from spinstack.remote.follow import Follow
from spinstack.remote.found import Found
from spinstack.remote.history import record
from spinstack.remote.history.record import Record
from spinstack.remote.job import Job
from spinstack.remote.notes import ReleaseNote
from spinstack.remote.owner import Owner, for_job, make_owner
from spinstack.remote.upload import Release
from spinstack.transport.login_node import ConnectionLost
from spinstack.transport.script import tail

if TYPE_CHECKING:
    from spinstack.remote.stack import RemoteStack
    from spinstack.session import Session
from spinstack.platforms.health import ANSWER_SECONDS

# How a change can end → what the history calls it.
_OUTCOMES = {
    journal.DONE: record.DONE,
    journal.NOT_NOTED: record.DONE,
    journal.LEFT_OPEN: record.LEFT_OPEN,
    journal.TAKEN_BACK: record.TAKEN_BACK,
    journal.BACK_NOT_WELL: record.TAKEN_BACK,
    journal.STAYS: record.FAILED,
    journal.UNFINISHED: record.LEFT_OPEN,
    journal.LOCK_LOST: record.LEFT_OPEN,
    journal.FAILED: record.FAILED,
}
LEFT_RUNNING = "left running on the login node"


class Silent(SpinstackError):
    """A change whose journal ended before it did."""


@dataclass
class Deployment:
    """A change that is to be made: who makes it, what was found there."""

    session: Session
    remote: RemoteStack
    me: Owner
    found: Found
    # Image variable → digest, for the history.
    digests: Mapping[str, str] = field(default_factory=dict)

    def run(
        self, made: Release | None, note: ReleaseNote, plan: Plan, *, confirming: bool = True
    ) -> str:
        """Let the change to a release run there; the site's address when it is over.

        `made`: the release if it must be uploaded first. Raises SpinstackError for how it
        failed, and where it goes on without us (Ctrl-C, a lost connection).
        """
        change = self._job(note, plan, confirming=confirming)
        following = Follow(
            self.session, change.id, creating=change.creating, uploaded=note.id if made else ""
        )
        if self.session.dry:
            self._show_job(replace(change, creating=False))
        code = self._seen(
            following, lambda: self.remote.start(change, self.found, made, note, following)
        )
        return "" if self.session.dry else self.concluded(code, following)

    def attach(self, owner: Owner) -> str:
        """Look on at a change of ours that goes on there; the site's address when it is over.

        Raises SpinstackError for how it failed.
        """
        self.session.console.note(f"a {owner.doing} of {owner.told()} goes on there: looking on")
        following = Follow(self.session, owner.job)
        code = self._seen(following, lambda: self.remote.follow(following))
        return self.concluded(code, following)

    def _seen(self, following: Follow, begin: Callable[[], int | None]) -> int | None:
        """What `begin` comes back with, or what follows from Ctrl-C in the middle of it."""
        try:
            return begin()
        except KeyboardInterrupt:
            following.leave(goes_on=following.started)
            return self._interrupted(following)
        except ConnectionLost as lost:
            raise self._cut_off(lost, following) from None
        finally:
            following.leave(well=False)

    def concluded(self, code: int | None, following: Follow) -> str:
        """The address of a site whose change went well. Raises SpinstackError otherwise."""
        told = following.journal
        following.leave(well=told.outcome in (journal.DONE, journal.LEFT_OPEN))
        if not told.outcome:
            silent = _silent(code, told, self.session)
            silent.remedy = self._deploy(silent.remedy) or "`invoke status` tells what it left"
            raise silent
        written = told.step("write it down")
        if written and not written.ok:
            why = written.output.strip().rpartition("\n")[2]
            self.session.console.warn(f"this is not in the history: {why}")
        if told.outcome not in (journal.DONE, journal.LEFT_OPEN):
            raise deploy_outcome.failure(told, self.session)
        return deploy_outcome.url(told, self.session)

    def _job(self, note: ReleaseNote, plan: Plan, *, confirming: bool) -> Job:
        session, to = self.session, self.session.destination
        nonce = self.me.nonce
        stamp = self.me.when.translate({ord(sign): None for sign in "-:TZ"})
        begun = make_owner(
            self.me.who,
            self.me.host,
            self.me.doing,
            release=note.id,
            previous=self.found.current,
        )
        job_id = f"{stamp[:8]}-{stamp[8:]}-{nonce}"
        return Job(
            id=job_id,
            root=self.remote.root,
            release=note.id,
            stack=session.settings.stack,
            env_file=session.settings.env_file,
            platform=session.platform,
            ready=session.platform.ready(to),
            services=job.names_of(session.stack.service_names, session.stack.public_service),
            pages=to.probe_paths,
            healthy_within=to.healthy_within,
            answer_within=min(ANSWER_SECONDS, to.healthy_within),
            address=to.address,
            owner=for_job(self.me, job_id),
            begun=begun,
            creating=plan is Plan.CREATE,
            careful=self.found.unsettled,
            resuming=plan is Plan.RESUME,
            confirming=confirming,
            records=self._records(note),
        )

    def _records(self, note: ReleaseNote) -> dict[str, str]:
        """The line of the history for each way that the change can end."""
        images = {
            name: f"{reference}@{digest}"
            if (digest := self.digests.get(name)) and "@" not in reference
            else reference
            for name, reference in note.images.items()
        }
        base = Record(
            who=self.session.destination.user or record.WHO,
            host=self.me.host,
            stack=self.session.settings.stack,
            destination=self.session.destination.name,
            doing=self.me.doing,
            release=note.id,
            previous=self.found.current,
            commit=note.commit,
            dirty=note.dirty,
            images=images,
        )
        return {
            ended: record.line_template(replace(base, outcome=outcome))
            for ended, outcome in _OUTCOMES.items()
        }

    def _show_job(self, change: Job) -> None:
        console = self.session.console
        console.result("# the script that goes on there by itself:")
        for line in change.outline():
            console.result(f"  {line}")

    def _interrupted(self, following: Follow) -> int | None:
        """After Ctrl-C: it goes on, or is taken back. Without a person there it goes on."""
        if not following.started:
            with suppress(SpinstackError):
                self.remote.unlock()
            error = SpinstackError("stopped by Ctrl-C", where=self.session.settings.stack)
            error.now = "nothing that runs was touched"
            raise error
        if not self._take_back(following):
            raise self._left_running()
        try:
            self.remote.ask_to_stop(following.id)
            code = self.remote.follow(following)
            if following.journal.outcome == journal.DONE:
                self.session.console.warn("it was over already: `invoke rollback` takes it back")
            return code
        except KeyboardInterrupt:
            following.leave(well=False)
            raise self._left_running("it is being taken back there") from None
        except NotWritten as error:
            error.now = f"the {self.me.doing} goes on there: it could not be told to stop"
            raise
        except ConnectionLost as lost:
            following.leave(well=False)
            raise self._cut_off(lost, following) from None

    def _take_back(self, following: Follow) -> bool:
        """Ask; while somebody thinks about it nothing is made final there."""
        if not sys.stdin.isatty():
            return False
        with self.session.console.paused():
            try:
                with suppress(SpinstackError):
                    self.remote.hold(following.id)
                print(f"\nThe {self.me.doing} goes on on the login node.", file=sys.stderr)
                back = _wants_it_back()
            except (KeyboardInterrupt, EOFError):
                back = False
        if not back:
            with suppress(SpinstackError, KeyboardInterrupt):
                self.remote.go_on(following.id)
        return back

    def _left_running(self, now: str = "") -> SpinstackError:
        error = SpinstackError(
            LEFT_RUNNING,
            where=self.session.settings.stack,
            remedy=f"`invoke journal` looks on{self._deploy(', and so does `invoke deploy`')}",
        )
        error.now = now or f"the {self.me.doing} comes to its end there, good or bad, by itself"
        return error

    def _deploy(self, text: str) -> str:
        """What is true of a deploy alone: it may be run again whatever became of it."""
        return text if self.me.doing == "deploy" else ""

    def _cut_off(self, lost: ConnectionLost, following: Follow) -> ConnectionLost:
        if following.started:
            lost.now = f"the {self.me.doing} goes on there by itself"
            lost.remedy = self._deploy("run the same command again: it looks on, or finishes it")
            # What goes back one release would go back two.
            lost.remedy = lost.remedy or "`invoke journal` looks on; then see `invoke status`"
        else:
            lost.now = "unknown: the connection ended before anybody could look"
            lost.remedy = "run the same command again: it goes on where this one was"
        return lost


def _wants_it_back() -> bool:
    """Ask until the answer can be understood."""
    while True:
        answer = input("Leave it running, or take it back? [leave/back] ").strip().lower()
        if answer in ("b", "back", "take it back", "roll back", "rollback"):
            return True
        if answer in ("", "l", "leave", "leave it running"):
            return False


def _silent(code: int | None, told: journal.Journal, session: Session) -> SpinstackError:
    """A change whose journal ended before it did."""
    step = told.steps[-1].name if told.steps else "the first step"
    said = told.steps[-1].output if told.steps else "\n".join(told.between)
    what = "the change gives no sign of life any more"
    if code != changes.SILENT:
        what = "the change could not be looked on at to its end"
    error = Silent(
        f"{what}, last seen during {step!r}",
        where=session.destination.host,
        remedy="run the same command again: it finishes it",
        details=tail(said),
    )
    error.now = "unknown: its login node may have been restarted"
    return error
