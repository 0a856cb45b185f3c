"""How a deploy works: check; log in and look at the destination while the images are built and
pushed; upload, upgrade, wait, ask the site, confirm. Nothing that runs is touched before the
upgrade begins; from then on, a failure brings the old containers back.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from spinstack.deploy import images as deploy_images
from spinstack.deploy import preflight, provenance, take_over
from spinstack.deploy.images import build, push
from spinstack.deploy.plan import Plan, must_have_two_steps, plan
from spinstack.deploy.preflight import check
from spinstack.deploy.run import Deployment
from spinstack.errors import UsageError
from spinstack.platforms.health import SiteFailed, address
from spinstack.remote.access import remote_stack
from spinstack.remote.errors import Changed
from spinstack.session import ask_if_protected
from spinstack.transport import probe

if TYPE_CHECKING:
    from spinstack.remote.notes import ReleaseNote
    from spinstack.remote.upload import Release
    from spinstack.session import Session
    from spinstack.transport.login_node import LoginNode

__all__ = [
    "ask_if_protected",
    "build",
    "check",
    "deploy",
    "push",
    "remote_stack",
    "up",
    "upgrade",
]


def deploy(session: Session, *, yes: bool = False) -> str:
    """Deploy the stack to its destination. Returns the address where it answers.

    Raises SpinstackError at the first failure, once what ran before has been brought back.
    """
    ask_if_protected(session, yes=yes)
    check(session)
    with _logged_in(session) as node, deploy_images.images_under_way(session) as images:
        there = take_over.found(session, node, "deploy", yes=yes)
        take_over.wait_for_own(there)
        wanted = _Wanted(there)
        # If somebody has to decide or bring something first, don't make them wait for the images.
        wanted.look_ahead()
        there.digests = images.wait()
        return wanted.carry(tuple(Plan))


def up(session: Session, *, yes: bool = False) -> str:
    """Start a stack that does not exist yet, from images already pushed. Returns its address."""
    ask_if_protected(session, yes=yes)
    check(session)
    with _logged_in(session) as node:
        there = take_over.found(session, node, "up", yes=yes)
        take_over.refuse_another(there)
        wanted = _Wanted(there)
        wanted.look_ahead()
        return wanted.carry((Plan.CREATE,))


def upgrade(session: Session, *, yes: bool = False) -> str:
    """The first of two steps: new containers run, the old ones are stopped and kept.

    `confirm` or `rollback` is the second step. Raises UsageError where the platform has none.
    """
    must_have_two_steps(session.platform)
    ask_if_protected(session, yes=yes)
    check(session)
    with _logged_in(session) as node:
        there = take_over.found(session, node, "upgrade", yes=yes)
        take_over.refuse_another(there)
        allowed = (Plan.UPGRADE, Plan.RESUME, Plan.NOTHING)
        wanted = _Wanted(there)
        wanted.look_ahead()
        return wanted.carry(allowed, confirming=False)


@contextmanager
def _logged_in(session: Session) -> Iterator[LoginNode]:
    """Log in first: nobody should build for ten minutes only to be refused, and the login asks
    its questions before anything else is on the screen."""
    with session.login_node() as node:
        if session.destination.on_laptop:
            node.open()
        else:
            with session.console.step("log in") as step:
                node.open()
                step.done(node.name)
        yield node


class _Wanted:
    """The stack as it is on this machine, to be deployed."""

    def __init__(self, there: Deployment) -> None:
        session = there.session
        self._there = there
        self._made = there.remote.make_release(session.stack)

    def plan(self) -> Plan:
        """What has to be done. Raises LeftUnfinished if somebody has to choose first."""
        there, session = self._there, self._there.session
        services, _ = session.stack.services(session.destination)
        images = {service.name: service.image for service in services}
        return plan(there.found, self._made.content, there.me, images)

    def look_ahead(self) -> None:
        """Raises LeftUnfinished if somebody has to choose first, SpinstackError if something is
        missing that only a person can bring."""
        if self.plan() is not Plan.NOTHING:
            preflight.check_kept(self._there.session, self._there.remote.node)

    def carry(self, allowed: tuple[Plan, ...], *, confirming: bool = True) -> str:
        """Do it, if it is one of those allowed. Returns the site's address."""
        try:
            return self._as_planned(allowed, confirming=confirming)
        except Changed:
            self._there.found = self._there.remote.look()
            take_over.refuse_another(self._there)
            return self._as_planned(allowed, confirming=confirming)

    def _as_planned(self, allowed: tuple[Plan, ...], *, confirming: bool) -> str:
        chosen = self.plan()
        _must_be(chosen, allowed, self._there)
        if chosen is Plan.NOTHING:
            return _nothing(self._there)
        preflight.check_mounts(self._there.session, self._there.remote.node)
        made, note = self._release()
        return self._there.run(made, note, chosen, confirming=confirming)

    def _release(self) -> tuple[Release | None, ReleaseNote]:
        """The release (None unless it must be uploaded), and what is known about it."""
        found = self._there.found
        known = [found.current, found.unfinished.release if found.unfinished else ""]
        for name in known:
            if name and name.rsplit("-", 1)[-1] == self._made.content:
                return None, provenance.note(self._there.session, self._there.me, name)
        return self._made, provenance.note(self._there.session, self._there.me, self._made.id)


def _must_be(chosen: Plan, allowed: tuple[Plan, ...], there: Deployment) -> None:
    """Raises UsageError if this is a job for another task."""
    if chosen in allowed or there.session.dry:
        return
    runs = chosen is not Plan.CREATE
    raise UsageError(
        f"{there.session.settings.stack} {'is already running' if runs else 'does not exist yet'}",
        where=there.session.where,
        remedy="run `invoke deploy`",
    )


def _nothing(there: Deployment) -> str:
    """These files already run, and are healthy: only ask the site once. Returns its address.

    Raises SiteFailed if it answers badly; a site out of reach from here is not a failure.
    """
    session = there.session
    url = address(there.found.states, session.destination)
    for path in session.destination.probe_paths if url else ():
        answer = probe.ask(url + path)
        if answer.reached and not answer.ok:
            error = SiteFailed(
                "already up to date, but the site is not responding correctly",
                list(session.stack.service_names),
                where=f"{url}{path}: {answer}",
            )
            error.remedy = "see `invoke logs`, fix the cause and deploy again"
            raise error
        for line in answer.remarks("warning"):
            session.console.warn_of(line)
    session.console.note(f"already up to date: {there.found.current} is running")
    return f"{url}/" if url else ""
