"""How a change ended, in words: from its journal to an address or an error."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from spinstack.errors import SpinstackError
from spinstack.platforms import health, logs, rows
from spinstack.platforms.base import ServiceState
from spinstack.platforms.client import not_ready
from spinstack.platforms.health import ServicesFailed, SiteFailed, Watcher, address, no_answer
from spinstack.remote import job, journal
from spinstack.remote.errors import MUST, LockLost, must_not_fail, not_written, refused
from spinstack.remote.journal import Journal, JournalStep
from spinstack.transport import probe
from spinstack.transport.script import KILLED, TIME_IS_UP, StepResult, tail

if TYPE_CHECKING:
    from spinstack.console.console import Console
    from spinstack.session import Session

# Lines of a service's log to show after a failure.
LAST_LINES = 20

# How things stand after a failure, and what to do then unless the failure itself knows better.
_NOW = {
    journal.TAKEN_BACK: ("the previous version is running again", "fix the cause and deploy again"),
    # What is said of it depends on what was seen: `_not_well`.
    journal.BACK_NOT_WELL: ("", "see `invoke status`"),
    journal.STAYS: (
        "the containers were left in place for inspection; the site is not up",
        "fix the cause (`invoke logs` shows more) and deploy again",
    ),
    journal.UNFINISHED: (
        "the upgrade is unfinished; the previous containers are stopped and kept",
        "once the cause is gone, run `invoke rollback`",
    ),
    journal.NOT_NOTED: (
        "the new version is running and confirmed, but could not be recorded as current",
        "fix that, then run `invoke deploy`",
    ),
    journal.LOCK_LOST: (
        "the upgrade had begun; whoever broke the lock decides whether it runs now",
        "ask them, see `invoke status`, then run the command again",
    ),
}


# The same of an upgrade in one step, which leaves no containers from before.
_UNFINISHED_IN_ONE_STEP = "the upgrade is unfinished: what ran before it was not brought back"


def url(told: Journal, session: Session) -> str:
    """The address of the site after a change that succeeded; empty if no port is published."""
    asked = told.step("wait until healthy")
    states = _states(rows.last_round(asked.lines), session) if asked else []
    found = address(states, session.destination)
    return f"{found}/" if found else ""


def site_warnings(told: Journal) -> list[str]:
    """What the site itself has warned of when it was asked, as far as it was."""
    asked = told.step("ask the site")
    return probe.remarks(asked.lines, "warning") if asked else []


def tell_visits(told: Journal, console: Console) -> None:
    """What somebody saw who asked for the site all the while, if anybody did."""
    visits = told.step("visits")
    for line in visits.lines if visits else ():
        well = line.endswith("none failed")
        (console.note if well else console.warn)(line)


def _states(text: str, session: Session) -> list[ServiceState]:
    return rows.parse(text, session.settings.stack, session.platform.words)


def watched(step: JournalStep, session: Session) -> Watcher:
    """The states of a step that waited, evaluated again."""
    watcher = Watcher(list(session.stack.service_names))
    for lines, code in rows.rounds(step.lines):
        if code == "0":
            watcher.take(_states("\n".join(lines), session))
    return watcher


def failure(told: Journal, session: Session) -> SpinstackError:
    """Why a change failed, how things stand now, and what to do."""
    step = told.failed
    if step is None:
        return SpinstackError(
            f"the change ended unexpectedly ({told.outcome or 'no outcome was recorded'})",
            where=session.settings.stack,
            remedy="see `invoke status`, then run the command again",
            details=tail("\n".join(told.between)),
        )
    error = _cause(step, told, session)
    now, remedy = _NOW.get(told.outcome, ("", ""))
    if told.outcome == journal.UNFINISHED and not session.platform.two_steps:
        now = _UNFINISHED_IN_ONE_STEP
    if told.outcome == journal.BACK_NOT_WELL:
        now = _not_well(told, session)
    error.now = "; ".join(filter(None, (now or _untouched(told), *_left(told))))
    if isinstance(error, LockLost):
        return error
    if told.outcome == journal.LOCK_LOST:
        error.remedy = remedy
        return error
    if not error.remedy or (told.outcome == journal.TAKEN_BACK and step.code != job.STOPPED):
        error.remedy = remedy
    elif told.outcome == journal.UNFINISHED and error.explained:
        error.remedy += ", then run `invoke deploy`, which finishes it"
    if told.outcome in (journal.TAKEN_BACK, journal.STAYS) and isinstance(error, ServicesFailed):
        known = session.platform.known(error.what)
        error.cause, error.remedy = known or ("", error.remedy)
    kept = told.step("keep evidence")
    if kept and kept.lines:
        error.details = "\n".join(filter(None, (error.details, *kept.lines)))
    if told.outcome == journal.UNFINISHED:
        _add_rollback(error, step, told, session)
    # How to get out of an upgrade that hangs in between comes before what its cause was.
    error.explained = error.explained or told.outcome in (journal.UNFINISHED, journal.NOT_NOTED)
    return error


def _not_well(told: Journal, session: Session) -> str:
    """What was seen after a rollback, or without one: the upgrade may not have begun."""
    waited = told.step("wait for the old ones")
    seen = waited or told.step("look again")
    looks = [look for look in rows.rounds(seen.lines if seen else ()) if look[1]]
    lines, code = looks[-1] if looks else ([], "")
    now = health.shown(_states("\n".join(lines), session)) or "nothing"
    if code != "0":
        now = "unknown: no answer"
    what = "the previous version is not healthy" if waited else "nothing was running before"
    return f"{what} (now: {now})"


def _left(told: Journal) -> list[str]:
    """The services that the change has added and that nothing was done to since."""
    step = told.step("leave what is new")
    return [
        f"{name} is new and stays (`invoke rm --service {name}` removes it)"
        for name in (step.lines if step else ())
    ]


def _untouched(told: Journal) -> str:
    """How things stand if it failed before the upgrade began."""
    touched = told.step("take back what is stuck") or told.step("bring up")
    return "" if touched else "nothing that is running was touched"


def _cause(step: JournalStep, told: Journal, session: Session) -> SpinstackError:
    """The first failure, whatever followed from it."""
    if step.code == job.STOPPED:
        remedy = "run `invoke deploy` when you want to continue"
        return SpinstackError("stopped by Ctrl-C", where=session.settings.stack, remedy=remedy)
    if step.name == session.platform.ready(session.destination).name:
        return not_ready(_result(step), session.platform, session.destination.place)
    if session.platform.detached and step.name in MUST:
        return must_not_fail(_result(step), session.destination.runs_at)
    if not session.platform.detached and step.code == job.LOST:
        return must_not_fail(StepResult("lock still ours"), session.destination.runs_at)
    explain = _EXPLAINED.get(step.name, _refused)
    return explain(step, told, session)


def _result(step: JournalStep) -> StepResult:
    return StepResult(step.name, step.output, step.code)


def _refused(step: JournalStep, told: Journal, session: Session) -> SpinstackError:
    """A command that the platform did not carry out."""
    platform, stack = session.platform, session.settings.stack
    verb = step.name if step.name in ("bring up", "confirm", "prune") else "roll back"
    what = f"{platform.title} did not {verb} {stack}"
    limit = platform.slow
    if verb == "bring up":
        limit = min(limit, session.destination.healthy_within)
    error = refused(_result(step), platform, what, session.where, limit)
    return error or SpinstackError(what, where=session.where, details=tail(step.output))


def _not_brought_up(step: JournalStep, told: Journal, session: Session) -> SpinstackError:
    """The platform's program may have waited for the containers until the time was up."""
    if step.code == TIME_IS_UP and not watched(step, session).all_up:
        return _not_healthy(step, told, session)
    # Its own output comes after the last look at the states beside it.
    said, _ = list(rows.rounds(step.lines))[-1]
    return _refused(replace(step, lines=said), told, session)


def _not_noted(step: JournalStep, told: Journal, session: Session) -> SpinstackError:
    to = session.destination
    where = to.kubernetes.where if to.kubernetes else to.project_dir
    return not_written(step.output, where, "the record of the upgrade")


def _not_rendered(step: JournalStep, told: Journal, session: Session) -> SpinstackError:
    platform = session.platform
    said = platform.complaints(step.output)
    known = platform.known("\n".join(said) or step.output)
    if known:
        error = SpinstackError(known[0], where=session.where, remedy=known[1])
        error.details, error.explained = "\n".join(said), True
        return error
    if step.code in (TIME_IS_UP, KILLED):
        silent = no_answer(platform, session.destination.runs_at, platform.quick, "")
        silent.details = tail(step.output)
        return silent
    return SpinstackError(
        f"{session.platform.title} can't use the stack's files",
        where=session.where,
        remedy="correct the compose file or the env file; `invoke check` may say more",
        details="\n".join(said) or step.output.strip(),
    )


def _not_healthy(step: JournalStep, told: Journal, session: Session) -> SpinstackError:
    within = session.destination.healthy_within
    watcher = watched(step, session)
    answered = any(code == "0" for _, code in rows.rounds(step.lines))
    if step.code == job.NO_ANSWER or not answered:
        seconds = health.SILENT_SECONDS if step.code == job.NO_ANSWER else within
        text = rows.last_look(step.lines)
        return no_answer(session.platform, session.destination.runs_at, seconds, text)
    try:
        watcher.judge(within, session.settings.stack)
    except ServicesFailed as error:
        checks = _checks(error.services, session)
        error.details = "\n".join([last_lines(told, session), *checks]).strip()
        return error
    return SpinstackError("the services did not become healthy", details=last_lines(told, session))


def _checks(services: list[str], session: Session) -> list[str]:
    """What each of the services must answer to be healthy, a line each."""
    checks = session.platform.health_checks(session.stack) or {}
    found = [(name, checks[name]) for name in services if name in checks and checks[name].port]
    return [
        f"{name} is healthy when port {check.port} answers {check.request or 'a connection'} "
        f"({check.where})"
        for name, check in found
    ]


def _no_good_answer(step: JournalStep, told: Journal, session: Session) -> SpinstackError:
    asked = [line for line in step.lines if line.startswith("asked ")]
    page, _, status = asked[-1].removeprefix("asked ").partition(": ") if asked else ("", "", "")
    code = re.search(r"(\d{3})\s*$", status)
    seen = code[1] if code and code[1] != "000" else "no answer"
    asker = "the login node" if session.platform.detached else "this machine"
    error = SiteFailed(
        "the site is not responding correctly",
        list(session.stack.service_names),
        where=f"{page}: {seen} from {asker}",
    )
    error.details = last_lines(told, session)
    return error


# Step of a change → why it failed; for all others the platform says why.
_EXPLAINED: dict[str, Callable[[JournalStep, Journal, Session], SpinstackError]] = {
    "render": _not_rendered,
    "note the upgrade": _not_noted,
    "mark as current": _not_noted,
    "bring up": _not_brought_up,
    "wait until healthy": _not_healthy,
    "ask the site": _no_good_answer,
}


def last_lines(told: Journal, session: Session) -> str:
    """The last lines of the services' logs, each under its name."""
    parts = []
    for step in told.steps:
        name = step.name.removeprefix("last lines of ")
        if name != step.name:
            lines = session.platform.read_log(step.output, session.settings.stack, name)
            parts.append(logs.last_lines(name, lines, LAST_LINES))
    return "\n".join(parts)


def _add_rollback(
    error: SpinstackError, first: JournalStep, told: Journal, session: Session
) -> None:
    """Add why what ran before could not be brought back, if that was tried."""
    later = [step for step in told.steps if step.code not in (None, 0) and step is not first]
    back = next((step for step in later if step.name in ("roll back", "look again")), None)
    if back:
        said = "\n".join(session.platform.complaints(back.output))
        said = said or tail(rows.last_round(back.lines)) or f"exit code {back.code}, no output"
        error.details = "\n".join(filter(None, (error.details, "and the rollback failed:", said)))
        error.remedy = _NOW[journal.UNFINISHED][1]
