"""Starts a change on the login node, where it runs on its own, and follows it to its end.

What is running, and whether somebody is changing it, was looked at without a lock
(`take_over.py`). One script takes the lock, uploads the release, starts the job and follows the
journal.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from spinstack.deploy import outcome as deploy_outcome
from spinstack.deploy import unseen
from spinstack.deploy.interrupt import Interrupt
from spinstack.deploy.plan import Plan
from spinstack.platforms.health import ANSWER_SECONDS
from spinstack.remote import job, journal
from spinstack.remote.follow import Follow
from spinstack.remote.found import Found
from spinstack.remote.history import record
from spinstack.remote.history.record import Record
from spinstack.remote.job import Job
from spinstack.remote.notes import ReleaseNote
from spinstack.remote.owner import Owner, for_job, make_owner
from spinstack.remote.upload import Release
from spinstack.transport.login_node import ConnectionLost
from spinstack.transport.probe import REFUSED_SECONDS

if TYPE_CHECKING:
    from spinstack.remote.stack import RemoteStack
    from spinstack.session import Session

# How a change can end → the outcome recorded in the history.
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


@dataclass
class Deployment:
    """A change to make: who makes it, and what was found at the destination. `yes`: every question
    was answered with yes already."""

    session: Session
    remote: RemoteStack
    me: Owner
    found: Found
    # Image variable → digest, for the history.
    digests: Mapping[str, str] = field(default_factory=dict)
    yes: bool = False

    def run(
        self, made: Release | None, note: ReleaseNote, plan: Plan, *, confirming: bool = True
    ) -> str:
        """Run the change to a release on the login node. Returns the site's address at its end.

        `made`: the release if it must be uploaded first. Raises SpinstackError if it failed, or
        if it continues without us (Ctrl-C, a lost connection).
        """
        note = replace(note, images=_exact(note.images, self.digests))
        change = _job(self, note, plan, confirming=confirming)
        if self.session.dry and self.session.platform.detached:
            _show(change, self.session)
        following = Follow(
            self.session,
            change.id,
            creating=change.creating,
            uploaded=note.id if made else "",
            yes=self.yes,
        )
        doing = self.me.doing
        code = self._seen(
            following, lambda: self.remote.start(change, self.found, made, note, following), doing
        )
        if self.session.dry:
            return ""
        url = self._concluded(code, following, doing)
        if not confirming and following.journal.outcome == journal.DONE:
            self.session.console.note("no service had to be replaced: nothing is left to confirm")
        return url

    def attach(self, owner: Owner) -> str:
        """Follow a change of ours that is running there. Returns the site's address at its end.

        Raises SpinstackError if it failed.
        """
        article = "an" if owner.doing.startswith("u") else "a"
        self.session.console.note(
            f"{article} {owner.doing} by {owner.told()} is already running there; following it"
        )
        following = Follow(self.session, owner.job)
        code = self._seen(following, lambda: self.remote.follow(following), owner.doing)
        return self._concluded(code, following, owner.doing)

    def _seen(self, following: Follow, begin: Callable[[], int | None], doing: str) -> int | None:
        """The exit code of following a change to its end: as `begin` does, or after Ctrl-C while
        it is rolled back. Raises SpinstackError if its end was not seen."""
        try:
            try:
                return begin()
            except KeyboardInterrupt:
                following.leave(goes_on=following.started)
                return Interrupt(self.session, self.remote, following, doing).settle()
        except ConnectionLost as lost:
            detached = self.session.platform.detached
            raise unseen.cut_off(
                lost, doing, started=following.started, detached=detached
            ) from None
        finally:
            following.leave(well=False)

    def _concluded(self, code: int | None, following: Follow, doing: str) -> str:
        """The site's address if the change succeeded. Raises SpinstackError otherwise."""
        told, session = following.journal, self.session
        if not told.outcome:
            raise unseen.silent(code, told, doing, session.destination.runs_at)
        written = told.step("write it down")
        if written and not written.ok:
            why = written.output.strip().rpartition("\n")[2]
            session.console.warn(f"could not record this in the history: {why}")
        deploy_outcome.tell_visits(told, session.console)
        if told.outcome not in (journal.DONE, journal.LEFT_OPEN):
            raise deploy_outcome.failure(told, session)
        for line in deploy_outcome.site_warnings(told):
            session.console.warn_of(line)
        if told.outcome == journal.LEFT_OPEN:
            session.console.note("check the site, then run `invoke confirm` or `invoke rollback`")
        return deploy_outcome.url(told, session)


def _job(deployment: Deployment, note: ReleaseNote, plan: Plan, *, confirming: bool) -> Job:
    """The job for the login node: the change to a release, by the destination's settings."""
    session, to, me = deployment.session, deployment.session.destination, deployment.me
    found = deployment.found
    stamp = me.when.translate({ord(sign): None for sign in "-:TZ"})
    job_id = f"{stamp[:8]}-{stamp[8:]}-{me.nonce}"
    services = job.names_of(session.stack.service_names, session.stack.public_service)
    there = {state.name for state in found.states}
    answer_within = min(ANSWER_SECONDS, to.healthy_within)
    # An ingress refuses what it does not know yet.
    unknown_yet = plan is Plan.CREATE and to.platform == "kubernetes"
    return Job(
        id=job_id,
        root=deployment.remote.root,
        release=note.id,
        stack=session.settings.stack,
        env_file=session.settings.env_file,
        platform=session.platform,
        ready=session.platform.ready(to),
        services=services,
        pages=to.probe_paths,
        healthy_within=to.healthy_within,
        answer_within=answer_within,
        refused_within=answer_within if unknown_yet else min(REFUSED_SECONDS, answer_within),
        address=to.address,
        owner=for_job(me, job_id),
        begun=make_owner(me.who, me.host, me.doing, release=note.id, previous=found.current),
        creating=plan is Plan.CREATE,
        careful=found.unsettled,
        resuming=plan is Plan.RESUME,
        confirming=confirming,
        ran=tuple(state.name for state in found.states if not state.stopped),
        added=tuple(name for name in services if name not in there),
        records=_records(deployment, note),
    )


def _records(deployment: Deployment, note: ReleaseNote) -> dict[str, str]:
    """The line for the history for each way in which the change can end."""
    session = deployment.session
    base = Record(
        who=session.destination.user or record.WHO,
        host=deployment.me.host,
        stack=session.settings.stack,
        destination=session.destination.name,
        doing=deployment.me.doing,
        release=note.id,
        previous=deployment.found.current,
        commit=note.commit,
        dirty=note.dirty,
        images=note.images,
    )
    return {
        ended: record.line_template(replace(base, outcome=outcome))
        for ended, outcome in _OUTCOMES.items()
    }


def _exact(images: Mapping[str, str], digests: Mapping[str, str]) -> dict[str, str]:
    """The images with their digests, where known."""
    return {
        name: f"{reference}@{digests[name]}"
        if digests.get(name) and "@" not in reference
        else reference
        for name, reference in images.items()
    }


def _show(change: Job, session: Session) -> None:
    """For a dry run, which does not know what there is to go back to."""
    session.console.result("# the script that runs on its own on the login node:")
    for line in replace(change, creating=False).outline():
        session.console.result(f"  {line}")
