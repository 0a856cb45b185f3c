"""Prepares the project directory on the login node: looks at what is there, does what is missing.

One look, one script with everything to create, and access to the platform if there is none. Run
again, it finds everything and does nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from spinstack.checks import login_node, survey
from spinstack.errors import SpinstackError, UsageError
from spinstack.remote.access import key_password, remote_stack
from spinstack.remote.history import checkouts, record, write
from spinstack.remote.history.checkouts import Source
from spinstack.rules.finding import Finding
from spinstack.session import ask_if_protected
from spinstack.setup import facts as setup_facts
from spinstack.setup import plan
from spinstack.setup.facts import Facts
from spinstack.setup.plan import Item, Line
from spinstack.transport.command import Command
from spinstack.transport.script import Script, ScriptResult, Step

if TYPE_CHECKING:
    from spinstack.session import Session
    from spinstack.transport.login_node import LoginNode


def setup(session: Session, *, yes: bool = False) -> list[Line]:
    """Create everything at the destination that a deploy needs. Returns a line for each thing.

    Raises SpinstackError if Spin could not mount it, or if the login fails; what a person has to
    do is in the lines. A dry run shows the commands and returns no lines.
    """
    if session.destination.on_laptop:
        return _look_here(session)
    wanted = _wanted(session)
    ask_if_protected(session, yes=yes)
    with session.login_node() as node:
        with session.console.step("look"):
            facts = _look(session, node, wanted)
        items = plan.plan(session.destination.project_dir, wanted, facts)
        lines = _carried_out(session, node, items)
        _record(session, node, items, lines)
        lines += _access(session, node, facts)
        if session.dry:
            _show_updates(session, node, wanted)
            return []
    return lines


def _look_here(session: Session) -> list[Line]:
    """Without a login node there is nothing to prepare, only access to the platform to look at."""
    to, platform = session.destination, session.platform
    with session.login_node() as node, session.console.step("look"):
        seen = survey.ask_platform(node, to, platform, platform.quick + 60)
    if session.dry:
        return []
    found = login_node.access(seen, to, platform)
    lines = [Line("needs you", platform.title, one.where, one.problem, one.remedy) for one in found]
    lines = lines or [Line("ok", platform.title, to.environment, "you can deploy to it")]
    paths = dict.fromkeys(
        use.mount.source for use in login_node.uses(session.stack.services(to)[0])
    )
    text = "left as they are: they can't be reached from this machine"
    return [*lines, *(Line("left", "mounted directories", path, text) for path in paths)]


def _wanted(session: Session) -> list[Source]:
    """What is mounted. Raises SpinstackError for settings that can't work."""
    to, stack = session.destination, session.stack
    wanted = checkouts.sources(stack, to)
    names = {source.name for source in wanted}
    for checkout in to.checkouts:
        if checkout.variable not in names:
            raise UsageError(
                f"no service mounts the checkout {checkout.variable}",
                where="invoke.yaml, spinstack.checkouts",
                remedy=f"use a variable of {stack.env_name}: {', '.join(sorted(names))}",
            )
    findings = stack.compose.findings
    findings += plan.unmountable(to.project_dir, wanted, to.centre)
    if findings:
        raise _not_possible(session, findings)
    return wanted


def _not_possible(session: Session, findings: Sequence[Finding]) -> SpinstackError:
    return SpinstackError(
        "the stack can't be set up as it is; nothing was created",
        where=f"{session.directory}: {session.where}",
        remedy="fix the problems above",
        details="\n".join(found.line() for found in findings),
    )


def _look(session: Session, node: LoginNode, wanted: Sequence[Source]) -> Facts:
    to = session.destination
    result = node.run(setup_facts.look(to.project_dir, wanted, to, session.platform))
    # Without its platform the login node can be prepared all the same.
    if result.failed and result.failed.name != session.platform.ready(to).name:
        raise SpinstackError(
            f"can't look at the login node: {result.failed.name} failed",
            where=node.name,
            remedy="see the centre's status page, then try again",
            details=result.failed.output.strip(),
        )
    facts = setup_facts.parse(result, to.project_dir, wanted, session.platform)
    for path in (to.project_dir, *(source.path for source in wanted)):
        away = plan.leads_away(facts, path, to.centre)
        if away:
            raise SpinstackError(
                f"Spin can't mount {path}: it leads to {away}",
                where=f"{node.name}: {session.where}",
                remedy=f"use a directory below {' or '.join(to.centre.mountable)}, without a link "
                "to elsewhere",
            )
    return facts


def _carried_out(session: Session, node: LoginNode, items: Sequence[Item]) -> list[Line]:
    """Run the steps of the items in one script, and update each line by its step."""
    steps = [item.step for item in items if item.step]
    if not steps:
        return [item.line for item in items]
    # New directories: others may enter, the group may read.
    first = (checkouts.git_step(), Step("umask", (Command("umask", "0026"),)))
    seconds = plan.CLONE_SECONDS * len(steps) + 60.0
    with session.console.step("set up") as display:
        result = node.run(
            Script((*first, *steps), seconds=seconds),
            on_begin=lambda name: display.detail(name),
        )
    return [_judged(item, result) for item in items]


def _record(
    session: Session, node: LoginNode, items: Sequence[Item], lines: Sequence[Line]
) -> None:
    """Record what was created, or should have been, in the stack's history; nothing if all was
    there."""
    tried = [line for item, line in zip(items, lines, strict=True) if item.step]
    wrong = [line for line in tried if line.state == "needs you"]
    told = [f"{line.what} {line.state}" for line in tried if line not in wrong]
    told += [f"{line.what} {line.text}" for line in wrong]
    if tried:
        outcome = record.FAILED if wrong else record.DONE
        write.note(session, node, "setup", ", ".join(told), outcome)


def _judged(item: Item, result: ScriptResult) -> Line:
    if item.step is None:
        return item.line
    done = next((step for step in result.steps if step.name == item.step.name), None)
    if done is None:
        return plan.failed(item.line, "a step before it failed", "fix that, then run setup again")
    if done.ok:
        return item.line
    if done.code == 124:
        reason = f"it took longer than {plan.CLONE_SECONDS} s"
        return plan.failed(item.line, reason, "check whether the network is slow, then try again")
    return plan.failed(item.line, *plan.why(done.output))


def _access(session: Session, node: LoginNode, facts: Facts) -> list[Line]:
    """Get access to the platform for the account; the program for that asks for the password."""
    platform = session.platform
    grant = platform.grant(session.destination)
    if grant is None:
        return [] if session.dry else _lacking(session, facts)
    what, where = grant.what, grant.place
    if facts.has_access is None:
        text = f"the login node has no {platform.program} command"
        remedy = "name the modules that provide it in the setting modules (default: spin)"
        return [Line("needs you", what, where, text, remedy)]
    if facts.refused:
        said = "\n".join(platform.complaints(facts.refused)) or facts.refused
        reason, remedy = platform.known(said) or plan.why(said)
        return [Line("needs you", what, where, f"exists but does not work: {reason}", remedy)]
    if facts.has_access and not session.dry:
        return [Line("ok", what, where, f"works for {session.destination.environment}")]
    made = Line("made", what, where, f"created by {grant.program}")
    if session.dry:
        session.console.result(f"# only if the account has no {what} yet:")
    try:
        with session.console.step(what):
            remote_stack(session, node).get_access(grant, key_password(session))
    except SpinstackError as error:
        return [plan.failed(made, error.what, error.remedy)]
    return [made]


def _lacking(session: Session, facts: Facts) -> list[Line]:
    """What keeps the account from a platform to which nothing on the login node gives access."""
    platform, to = session.platform, session.destination
    ready, access = facts.has_access is not None, bool(facts.has_access)
    found = platform.access_findings(to, ready=ready, access=access, states=not facts.refused)
    return [Line("needs you", platform.title, to.host, one.problem, one.remedy) for one in found]


def _show_updates(session: Session, node: LoginNode, wanted: Sequence[Source]) -> None:
    """A dry run finds nothing, so it shows how everything is created; this shows the updates."""
    steps = [plan.update_step(source) for source in wanted if source.checkout]
    if steps:
        session.console.result("# instead of cloning, if a checkout exists but is behind:")
        node.run(Script(tuple(steps)))
