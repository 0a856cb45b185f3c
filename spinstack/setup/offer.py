"""A directory becomes a stack: the files that it lacks, then what `check` has against the others,
with fixes offered one by one."""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from invoke.config import Config
from invoke.context import Context

from spinstack.checks import mend, run
from spinstack.checks import stack as checks_stack
from spinstack.checks.run import Report
from spinstack.config import schema
from spinstack.config.stack import read_text
from spinstack.errors import UsageError
from spinstack.rules.finding import Finding
from spinstack.session import Session
from spinstack.setup import adopt, fixes
from spinstack.setup.adopt import Found


def made(context: Context, directory: Path, found: Found) -> Session:
    """A session in the directory, with the files that it lacked; in a dry run they are shown."""
    config = Config(defaults={**Config.global_defaults(), **schema.known_to_invoke()})
    config.set_project_location(str(directory))
    dry = config.run.dry = context.config.run.dry
    session = Session(Context(config))
    console = session.console
    for note in found.notes:
        console.note(note)
    for name, text in adopt.written(found).items():
        if name == adopt.SETTINGS:
            _refuse_other_settings(directory / name)
        if (directory / name).exists():
            console.note(f"{name} is there already and stays as it is")
        elif dry:
            console.result(f"# writes {name}:")
            console.verbatim(text.rstrip("\n"))
        else:
            (directory / name).write_text(text, encoding="utf-8")
            console.note(f"{name} is new")
    config.load_project()
    config.load_shell_env()
    return session


def _refuse_other_settings(path: Path) -> None:
    """Invoke's settings that are somebody's, and say nothing about a stack."""
    if path.exists() and not re.search(r"(?m)^spinstack:", read_text(path)):
        raise UsageError(
            f"{path.name} has no settings of a stack",
            where=str(path),
            remedy="move it away, run spinstack init, and put what it said below what is there",
        )


def must_hold(session: Session, **given: str) -> None:
    """Raises UsageError if an invoke.yaml that was there says otherwise than the options given, by
    the names of the settings."""
    for key, value in given.items():
        there = str(getattr(session.settings, key))
        if value and there != value:
            raise UsageError(
                f"{adopt.SETTINGS} is there already, and has {key}: {there}, not {value}",
                where=str(session.directory / adopt.SETTINGS),
                remedy=f"change {key}: there, or leave the option out",
            )


def checked(session: Session) -> Report:
    """What is found in the stack; on a terminal after a person was asked about each fix."""
    if sys.stdin.isatty() and sys.stdout.isatty():

        def check() -> list[Finding]:
            return _again(session).findings

        def ask(finding: Finding) -> bool:
            session.console.result(f"{finding.severity}: {finding.problem} [{finding.rule}]")
            remedy = fixes.remedy(session, finding)
            session.console.advice(f"  where: {finding.where}\n  fix:   {remedy}")
            with session.console.paused():
                return input("Fix this? [yes/no] ").strip().lower() in ("y", "yes")

        def beyond(finding: Finding) -> dict[str, str]:
            return fixes.offered(session, finding)

        for fixed in one_by_one(session.directory, check, ask, beyond):
            session.console.note(f"fixed {fixed.where}: {fixed.problem} [{fixed.rule}]")
    return _again(session)


def _again(session: Session) -> Report:
    """What the default destination has against the stack, and what Spin's other platform has
    against its files."""
    # The stack is read again.
    session.__dict__.pop("stack", None)
    report = run.run(session)
    known = {(one.rule, one.where, one.problem) for one in report.findings}
    more = [one for one in _elsewhere(session) if (one.rule, one.where, one.problem) not in known]
    report.findings = checks_stack.in_order([*report.findings, *more])
    return report


def _elsewhere(session: Session) -> list[Finding]:
    """Findings in the stack's files at the first destination of another platform. Its settings are
    not yet the person's: what is wrong with them is said by `check --to`."""
    here = session.destination.platform
    for name in session.settings.destination_names:
        there = Session(Context(session.config), None)
        try:
            there.destination = session.settings.destination(name)
        except UsageError:
            continue
        if there.destination.platform != here:
            found = run.run(there).findings
            return [one for one in found if not one.where.startswith(adopt.SETTINGS)]
    return []


def one_by_one(
    directory: Path,
    check: Callable[[], list[Finding]],
    ask: Callable[[Finding], bool],
    beyond: Callable[[Finding], dict[str, str]] = lambda finding: {},
) -> list[Finding]:
    """Ask about each finding that can be fixed; those that were, after a yes. `check` is asked
    again after each, since lines move. `beyond`: the new texts of files, by name, for a finding
    that has no mender. Raises OSError for a file that can't be written."""
    done: list[Finding] = []
    passed: set[tuple[_Kind, int]] = set()
    most: Counter[_Kind] = Counter()
    fixed: Counter[_Kind] = Counter()
    found = check()
    while True:
        count = Counter(map(_kind, found))
        most |= count
        for key, finding in _numbered(found):
            # Two fixes that undo each other would be offered for ever.
            if key in passed or fixed[key[0]] == most[key[0]]:
                continue
            if _fixed(directory, finding, ask, beyond):
                break
            passed.add(key)
        else:
            return done
        done.append(finding)
        fixed[key[0]] += 1
        found = check()
        if Counter(map(_kind, found))[key[0]] >= count[key[0]]:
            passed.add(key)


def _fixed(
    directory: Path,
    finding: Finding,
    ask: Callable[[Finding], bool],
    beyond: Callable[[Finding], dict[str, str]],
) -> bool:
    """Whether there is a fix, the person wants it, and it is written."""
    # One that would change nothing is not worth a question.
    if finding.rule in mend.OFFERED:
        possible = mend.mend(directory, [finding], dry=True, menders=mend.OFFERED)
        return bool(
            possible and ask(finding) and mend.mend(directory, [finding], menders=mend.OFFERED)
        )
    texts = beyond(finding)
    if not texts or not fixes.readable(directory, texts) or not ask(finding):
        return False
    fixes.write(directory, texts)
    return True


# Findings that are equal but for their lines, which move.
_Kind = tuple[str, str, str, str]


def _kind(finding: Finding) -> _Kind:
    return finding.rule, finding.problem, finding.remedy, finding.where.partition(":")[0]


def _numbered(found: Iterable[Finding]) -> Iterator[tuple[tuple[_Kind, int], Finding]]:
    """Each finding with its kind, and its number among those of that kind."""
    seen: Counter[_Kind] = Counter()
    for finding in found:
        kind = _kind(finding)
        yield (kind, seen[kind]), finding
        seen[kind] += 1
