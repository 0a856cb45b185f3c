"""The way of a deploy: check, build, push, upload, render, up or upgrade, healthy, asked,
confirmed. Until the upgrade begins nothing that runs has been touched; after it, a failure
brings the old containers back.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from spinstack import finding, preflight, probe, release
from spinstack.cattle import ServiceState
from spinstack.errors import SpinstackError
from spinstack.release import Release
from spinstack.remote import Remote, Situation
from spinstack.waiting import ServicesFailed, SiteFailed, Watcher, address

if TYPE_CHECKING:
    from spinstack.login_node import Answer, LoginNode
    from spinstack.session import Session

# Seconds that the site may take to answer well after its services are healthy.
PROBE_SECONDS = 60.0


def deploy(session: Session, *, yes: bool = False) -> str:
    """Carry the stack to its destination; the address where it answers.

    Raises SpinstackError at the first thing that fails, after bringing back what ran.
    """
    ask_if_protected(session, yes=yes)
    check(session)
    build(session)
    push(session)
    with session.login_node() as node:
        remote = make_remote(session, node)
        situation = _log_in(session, remote)
        made = _upload(session, remote, situation)
        with session.console.step("render"):
            remote.render(made)
        upgrade = bool(situation.states)
        with _rolled_back_on_failure(session, remote, made, upgrade):
            _apply(session, remote, made, situation)
            states = _wait(session, remote)
            url = _ask_site(session, remote, states)
        with session.console.step("confirm"):
            remote.confirm(made.directory)
    return url


def make_remote(session: Session, node: LoginNode) -> Remote:
    """The session's stack through a connection."""
    settings = session.settings
    return Remote(node, session.destination, settings.stack, settings.env_file)


def ask_if_protected(session: Session, *, yes: bool) -> None:
    """A protected destination must be named with --to, or be agreed to."""
    destination = session.destination
    if destination.protected and not session.destination_was_named:
        session.confirm(
            f"This changes {session.settings.stack} at {destination.name}. Go on?", yes=yes
        )


def check(session: Session) -> None:
    """Raises SpinstackError if a rule forbids this deploy."""
    with session.console.step("check") as step:
        findings = preflight.check(session.settings, session.destination, session.stack)
        wrong = finding.errors(findings)
        if wrong:
            raise SpinstackError(
                f"{len(wrong)} thing{'s' if len(wrong) > 1 else ''} in the stack would not work",
                where=str(session.directory),
                remedy="mend them; nothing was changed anywhere",
                details="\n".join(found.line() for found in findings),
            )
        step.done(f"{len(session.stack.service_names)} services")
    for found in findings:
        session.console.warn(found.line())


def build(session: Session, *, force: bool = False) -> None:
    """Build each image whose content has no image yet."""
    from spinstack import images

    for image in session.settings.images:
        reference = session.image_reference(image)
        with session.console.step(f"build {image.key}") as step:
            outcome = images.build(
                session.runner,
                session.engine,
                session.image_spec(image),
                reference,
                on_line=step.detail,
                force=force,
            )
            step.done(f"{_short(reference)}{'' if outcome.built else ' (there already)'}")


def push(session: Session) -> None:
    """Push each image that the registry does not have yet."""
    from spinstack import images

    for image in session.settings.images:
        reference = session.image_reference(image)
        with session.console.step(f"push {image.key}") as step:
            outcome = images.push(session.runner, session.engine, reference, on_line=step.detail)
            step.done(f"{_short(reference)}{'' if outcome.pushed else ' (there already)'}")
        if outcome.replaced:
            session.console.warn(
                f"{reference} stood for another image before: nodes that pulled that one keep it"
            )


def _short(reference: str) -> str:
    return reference.rsplit("/", 1)[-1]


def _log_in(session: Session, remote: Remote) -> Situation:
    """Connect, and refuse to go on where somebody left an upgrade unfinished."""
    with session.console.step("log in") as step:
        situation = remote.look()
        step.done(f"uid {situation.uid}" if situation.uid else "")
    if session.dry:
        session.console.result("# only if the account has no key for Rancher yet:")
    if not situation.has_key or session.dry:
        with session.console.step("Rancher key"):
            remote.make_key(key_password(session))
            situation = remote.look()
    if situation.unconfirmed:
        names = ", ".join(situation.unconfirmed)
        raise SpinstackError(
            f"an earlier upgrade of {names} was neither confirmed nor rolled back",
            where=f"{session.settings.stack} at {session.destination.name}",
            remedy="look at the site, then `invoke confirm` or `invoke rollback`",
        )
    return situation


def key_password(session: Session) -> Answer:
    """Answers spin-keygen.sh: from the rehearsal's file, or by asking the person.

    A login answer is the password with six digits after it; the key needs the password alone.
    """
    from spinstack import ssh_login

    destination = session.destination
    path = destination.login_answer_file

    def answer(prompt: str) -> str | None:
        if "password" not in prompt.lower():
            return None
        if path and not destination.practise:
            return re.sub(r"\d{6}$", "", ssh_login.answers_from(path)(prompt))
        return ssh_login.ask_on_terminal(f"{prompt} (without one-time code): ")

    return answer


def _upload(session: Session, remote: Remote, situation: Situation) -> Release:
    """Upload a new release, unless the current one has the very same files."""
    made = release.make(session.stack, session.destination)
    with session.console.step("upload") as step:
        if situation.current.rsplit("-", 1)[-1] == made.content:
            step.done(f"unchanged since {situation.current}")
            return made.called(situation.current)
        remote.upload(made)
        step.done(made.id)
    return made


def _apply(session: Session, remote: Remote, made: Release, situation: Situation) -> None:
    upgrade = bool(situation.states)
    name = "upgrade" if upgrade else "start"
    if session.dry:
        session.console.result("# if the stack is not there yet: up; else: upgrade")
        remote.apply(made, upgrade=False)
        name, upgrade = "upgrade", True
    with session.console.step(name):
        remote.apply(made, upgrade=upgrade, stop_first=situation.not_upgradable)


def _wait(session: Session, remote: Remote) -> list[ServiceState]:
    """Wait until every service of the stack is up; their states."""
    watcher = Watcher(session.stack.service_names)
    limit = session.destination.healthy_within
    with session.console.step("wait until healthy") as step:

        def on_states(states: list[ServiceState]) -> bool:
            done = watcher.take(states)
            step.detail(watcher.summary)
            step.done(watcher.summary)
            return done

        remote.watch(limit, on_states)
        if session.dry:
            return []
        watcher.judge(limit, session.settings.stack)
    return watcher.states


def _ask_site(session: Session, remote: Remote, states: list[ServiceState]) -> str:
    """Ask the site itself, from here or, where it can't be reached from here, from there."""
    if session.dry:
        session.console.result(f"$ GET {session.destination.probe_path} of the site's address")
        return ""
    url = address(states, session.destination)
    with session.console.step("ask the site") as step:
        if not url:
            step.done("no port is published")
            return ""
        page = url + session.destination.probe_path
        answer = probe.until_ok(
            page, seconds=PROBE_SECONDS, asked=lambda said: step.detail(f"{page}: {said}")
        )
        seen = str(answer)
        ok = answer.ok
        if not answer.reached:
            status = remote.ask_site(page)
            ok = 200 <= status < 300
            seen = f"{status or 'no answer'} from the login node ({answer} from here)"
        step.done(f"{page}: {seen}")
        if not ok:
            names = [session.stack.public_service]
            names += [name for name in session.stack.service_names if name not in names]
            raise SiteFailed(
                "the site does not answer as it should", names, where=f"{page}: {seen}"
            )
    return url + "/"


@contextmanager
def _rolled_back_on_failure(
    session: Session, remote: Remote, made: Release, upgrade: bool
) -> Iterator[None]:
    """On a failure or Ctrl-C: show why, and bring back what ran before."""
    try:
        yield
    except KeyboardInterrupt:
        failure = SpinstackError("stopped by Ctrl-C", where=session.settings.stack)
        _undo(session, remote, made, upgrade, failure)
        raise failure from None
    except SpinstackError as failure:
        if isinstance(failure, ServicesFailed):
            failure.details = _last_lines(remote, failure.services)
        _undo(session, remote, made, upgrade, failure)
        raise


def _last_lines(remote: Remote, services: list[str]) -> str:
    """The last lines of the services' logs, each under its name."""
    parts = []
    for name in services:
        try:
            log = remote.logs(name).strip()
        except SpinstackError as error:
            log = f"(its log could not be read: {error.what})"
        parts.append(f"--- {name}, last lines ---\n{log or '(it printed nothing)'}")
    return "\n".join(parts)


def _undo(
    session: Session, remote: Remote, made: Release, upgrade: bool, failure: SpinstackError
) -> None:
    """Roll back if there is something to go back to; adds to the failure what to do now."""
    if not upgrade:
        failure.remedy = failure.remedy or (
            "mend the cause and deploy again; `invoke logs` shows more, `invoke rm` starts over"
        )
        return
    try:
        with session.console.step("roll back") as step:
            names = [state.name for state in remote.states() if state.unconfirmed]
            if names:
                remote.roll_back(made.directory, names)
            step.done(", ".join(names) or "nothing had been changed")
    except SpinstackError as error:
        failure.details += f"\nand the rollback failed: {error.what}\n{error.details}"
        failure.remedy = "`invoke status`, then `invoke rollback`"
        return
    failure.remedy = "the version before runs again; mend the cause and deploy again"
