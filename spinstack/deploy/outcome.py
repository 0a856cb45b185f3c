"""How a change ended, told to a person: from its journal to an address or an error."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from spinstack.errors import SpinstackError
from spinstack.platforms import base, health
from spinstack.platforms.health import ServicesFailed, SiteFailed, Watcher, address
from spinstack.platforms.rancher1 import logs, output
from spinstack.platforms.rancher1 import states as rancher_states
from spinstack.platforms.rancher1.files import health_checks
from spinstack.remote import job, journal
from spinstack.remote.errors import LockLost, must_not_fail, not_written, refused
from spinstack.remote.journal import Journal, JournalStep
from spinstack.transport.script import StepResult, tail

if TYPE_CHECKING:
    from spinstack.session import Session

# How things stand after a failure, and what to do then unless the failure itself says better.
_NOW = {
    journal.TAKEN_BACK: ("the version before runs again", "mend the cause and deploy again"),
    journal.BACK_NOT_WELL: (
        "the version before was started again, but is not well",
        "invoke status",
    ),
    journal.STAYS: (
        "what was started stays, to be looked at; the site is not up",
        "mend the cause and deploy again; `invoke logs` shows more, `invoke rm` starts over",
    ),
    journal.UNFINISHED: (
        "the upgrade is unfinished: the containers from before are kept, stopped",
        "when its cause is over: `invoke status`, then `invoke rollback`",
    ),
    journal.NOT_NOTED: (
        "the new version runs, for good; only that it does is not noted",
        "when that is mended: invoke deploy",
    ),
    journal.LOCK_LOST: (
        "the new version was begun; whether it runs is now for whoever broke the lock to say",
        "talk to them; then see `invoke status`, and run it again",
    ),
}


def url(told: Journal, session: Session) -> str:
    """Where the site of a change that went well is; empty if no port is published."""
    asked = told.step("wait until healthy")
    states = rancher_states.parse(last_round(asked), session.settings.stack) if asked else []
    found = address(states, session.destination)
    return f"{found}/" if found else ""


def last_round(step: JournalStep) -> str:
    """What the last look at the states printed."""
    rounds: list[list[str]] = [[]]
    for line in step.lines:
        if line.startswith("round "):
            rounds.append([])
        else:
            rounds[-1].append(line)
    return "\n".join(next((lines for lines in reversed(rounds) if lines), []))


def watched(step: JournalStep, session: Session) -> Watcher:
    """The states of a step that waited, judged once more."""
    watcher = Watcher(list(session.stack.service_names))
    lines: list[str] = []
    for line in step.lines:
        if not line.startswith("round "):
            lines.append(line)
            continue
        if line == "round 0":
            watcher.take(rancher_states.parse("\n".join(lines), session.settings.stack))
        lines = []
    return watcher


def failure(told: Journal, session: Session) -> SpinstackError:
    """Why a change did not end well, what stands now, and what to do."""
    step = told.failed
    if step is None:
        return SpinstackError(
            f"the change ended in a way that was not foreseen: {told.outcome or 'no word'}",
            where=session.settings.stack,
            remedy="see `invoke status`, then run it again",
            details=tail("\n".join(told.between)),
        )
    error = _cause(step, told, session)
    now, remedy = _NOW.get(told.outcome, ("", ""))
    error.now = now or _untouched(told)
    if isinstance(error, LockLost):
        return error
    if told.outcome == journal.LOCK_LOST:
        error.remedy = remedy
        return error
    if not error.remedy or (told.outcome == journal.TAKEN_BACK and step.code != job.STOPPED):
        error.remedy = remedy
    if told.outcome == journal.UNFINISHED:
        _add_rollback(error, step, told)
    return error


def _untouched(told: Journal) -> str:
    """How things stand if it failed before the upgrade began."""
    touched = told.step("take back what is stuck") or told.step("bring up")
    return "" if touched else "nothing that runs was touched"


def _cause(step: JournalStep, told: Journal, session: Session) -> SpinstackError:
    """What the first failure is, whatever followed from it."""
    where = f"{session.settings.stack} at {session.destination.environment}"
    if step.code == job.STOPPED:
        remedy = "invoke deploy, when it is to go on"
        return SpinstackError("stopped by Ctrl-C", where=session.settings.stack, remedy=remedy)
    result = StepResult(step.name, step.output, step.code)
    if step.name in ("rancher environment", "enter the release", "lock still ours"):
        return must_not_fail(result, session.destination.host)
    if step.name == "render":
        return _not_rendered(step, session)
    if step.name in ("note the upgrade", "mark as current"):
        return not_written(step.output, str(session.destination.project_dir), "what is done")
    if step.name == "wait until healthy":
        return _not_healthy(step, told, session)
    if step.name == "ask the site":
        return _no_good_answer(step, told, session)
    verb = {"bring up": "bring up", "confirm": "confirm"}.get(step.name, "roll back")
    what = f"Rancher did not {verb} {session.settings.stack}"
    told_by = refused(result, what, where, base.SLOW)
    return told_by or SpinstackError(what, where=where, details=tail(step.output))


def _not_rendered(step: JournalStep, session: Session) -> SpinstackError:
    said = output.complaints(step.output)
    return SpinstackError(
        "Rancher can't use the stack's files",
        where=f"{session.settings.stack} at {session.destination.name}",
        remedy="mend the compose file or the env file; `invoke check` may say more",
        details="\n".join(said) or step.output.strip(),
    )


def _not_healthy(step: JournalStep, told: Journal, session: Session) -> SpinstackError:
    if step.code == job.NO_ANSWER:
        return SpinstackError(
            f"Rancher has answered nothing that can be understood for {health.SILENT_SECONDS} s",
            where=session.destination.host,
            remedy="try `rancher ps` on the login node; see the centre's status page",
            details=tail(last_round(step)),
        )
    watcher = watched(step, session)
    try:
        watcher.judge(session.destination.healthy_within, session.settings.stack)
    except ServicesFailed as error:
        checks = health_checks(session.stack.rancher, error.services)
        error.details = "\n".join([last_lines(told), *checks]).strip()
        return error
    return SpinstackError("the services did not get healthy", details=last_lines(told))


def _no_good_answer(step: JournalStep, told: Journal, session: Session) -> SpinstackError:
    asked = [line for line in step.lines if line.startswith("asked ")]
    page, _, status = asked[-1].removeprefix("asked ").partition(": ") if asked else ("", "", "")
    code = re.search(r"(\d{3})\s*$", status)
    seen = code[1] if code and code[1] != "000" else "no answer"
    error = SiteFailed(
        "the site does not answer as it should",
        list(session.stack.service_names),
        where=f"{page}: {seen} from the login node",
    )
    error.details = last_lines(told)
    return error


def last_lines(told: Journal) -> str:
    """The last lines of the services' logs, each under its name."""
    parts = []
    for step in told.steps:
        name = step.name.removeprefix("last lines of ")
        if name != step.name:
            log = logs.in_order(step.output, job.LOG_LINES).strip()
            parts.append(f"--- {name}, last lines ---\n{log or '(it printed nothing)'}")
    return "\n".join(parts)


def _add_rollback(error: SpinstackError, first: JournalStep, told: Journal) -> None:
    """Why what ran before could not be brought back, if that was tried."""
    later = [step for step in told.steps if step.code not in (None, 0) and step is not first]
    back = next((step for step in later if step.name in ("roll back", "look again")), None)
    if back:
        said = "\n".join(output.complaints(back.output)) or tail(last_round(back))
        said = said or f"exit code {back.code}, and not a word"
        error.details = "\n".join(filter(None, (error.details, "and the rollback failed:", said)))
        error.remedy = _NOW[journal.UNFINISHED][1]
