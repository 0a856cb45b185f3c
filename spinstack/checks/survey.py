"""What is looked at on the login node: one script for everything, its answers as values. Where
scripts run on the laptop, only the platform is asked: the mounted directories are not there.

Only if links lead elsewhere does the walk need another round, over the same connection.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath

from spinstack.checks import names, walk
from spinstack.checks.walk import Entry, Way
from spinstack.config.settings import Destination
from spinstack.config.stack import Stack
from spinstack.platforms.base import Garbled, Platform, TakenPort
from spinstack.rules.finding import Finding
from spinstack.text import read_json, split_lines
from spinstack.transport.command import Command, Raw
from spinstack.transport.login_node import LoginNode
from spinstack.transport.script import Script, ScriptResult, Step, StepResult


@dataclass(frozen=True)
class Survey:
    """The login node as it was found. Numbers are None if it gave no answer."""

    uid: int | None = None
    groups: frozenset[int] = frozenset()
    exported_uid: str = ""
    ways: dict[str, Way] = field(default_factory=dict)
    project_usable: bool = False
    free_kb: int | None = None
    used_percent: int | None = None
    quota: tuple[Quota, ...] = ()
    # Whether the platform can be used at all; whether the account may.
    ready: bool = False
    has_access: bool = False
    # Whether the platform said what is running; if not, nothing is known about ports.
    states_known: bool = False
    states_said: str = ""
    # What the account may not do, where that can be asked.
    rights: tuple[Finding, ...] = ()
    taken: tuple[TakenPort, ...] = ()


@dataclass(frozen=True)
class Quota:
    """A quota that is used up, or nearly so, in words."""

    problem: str
    reached: bool


def look(
    node: LoginNode, destination: Destination, platform: Platform, sources: Iterable[str]
) -> Survey:
    """Ask the login node everything: account, ways to `sources`, space, the platform.

    `sources`: absolute paths. Raises SpinstackError if the connection fails.
    """
    if destination.on_laptop:
        return ask_platform(node, destination, platform, platform.quick + 60)
    sources = list(dict.fromkeys([destination.project_dir, *sources]))
    asked = sorted({part for source in sources for part in walk.parts(source)})
    result = node.run(_script(destination, platform, asked))
    table = walk.parse(result.output("ways"), asked)
    return _survey(result, destination, platform, _follow(node, sources, table))


def walked(node: LoginNode, sources: Iterable[str]) -> Survey:
    """Ask the login node for the ways to `sources` alone, and who we are there. Raises
    SpinstackError if the connection fails."""
    sources = list(dict.fromkeys(sources))
    asked = sorted({part for source in sources for part in walk.parts(source)})
    result = node.run(Script(_files_steps(asked)))
    uid, groups = _account(result)
    table = walk.parse(result.output("ways"), asked)
    return Survey(uid=uid, groups=groups, ways=_follow(node, sources, table))


def ask_platform(
    node: LoginNode, destination: Destination, platform: Platform, seconds: float
) -> Survey:
    """Ask the platform alone. Raises SpinstackError if it takes longer."""
    script = Script(_platform_steps(destination, platform), seconds=seconds)
    return _survey(node.run(script), destination, platform, {})


def absent(
    node: LoginNode, destination: Destination, platform: Platform, stack: Stack
) -> list[Finding]:
    """The secrets and volumes that containers need and that are not there. One script, and none for
    a stack that needs none; what the platform does not say is left for the deploy to meet. Raises
    SpinstackError if the connection fails."""
    kinds = [kind for kind, needed in names.brought(stack, destination).items() if needed]
    if not kinds:
        return []
    steps = [replace(platform.kept(kind), must=False) for kind in kinds]
    result = node.run(Script((platform.ready(destination), *steps), seconds=platform.quick + 60))
    told = {step.name: step for step in result.steps}
    listed = {
        kind: _names_of(platform, kind, told.get(step.name))
        for kind, step in zip(kinds, steps, strict=True)
    }
    return [] if node.dry else list(names.absent(stack, destination, listed))


def _names_of(platform: Platform, kind: str, step: StepResult | None) -> set[str] | None:
    if step is None or not step.ok or platform.complaints(step.output, errors_only=True):
        return None
    try:
        return {kept.name for kept in platform.read_kept(kind, step.output)}
    except Garbled:
        return None


def _platform_steps(destination: Destination, platform: Platform) -> tuple[Step, ...]:
    rights = platform.rights()
    return (
        replace(platform.ready(destination), must=False),
        Step("exported UID", (Command("printenv", "UID"),), must=False),
        platform.has_access(),
        platform.states(if_access=True),
        *([rights] if rights else []),
    )


def _files_steps(asked: list[str]) -> tuple[Step, ...]:
    return (
        Step("account", (Command("id", "-u"), Command("id", "-G")), must=False),
        Step("ways", (walk.stat_command(asked),), must=False),
    )


def _account(result: ScriptResult) -> tuple[int | None, frozenset[int]]:
    account = re.findall(r"^[0-9]{1,10}(?: [0-9]{1,10})*$", result.output("account"), re.MULTILINE)
    uid = int(account[0]) if account else None
    return uid, frozenset(map(int, account[1].split())) if len(account) > 1 else frozenset()


def _script(destination: Destination, platform: Platform, asked: list[str]) -> Script:
    project = destination.project_dir
    steps = (
        *_files_steps(asked),
        Step(
            "project directory",
            (Command("test", "-d", project), Command("test", "-w", project)),
            must=False,
        ),
        Step("disk space", (Command("env", "LC_ALL=C", "df", "-P", "--", project),), must=False),
        Step("quota", (_quota_command(destination),), must=False),
        *_platform_steps(destination, platform),
    )
    return Script(steps, seconds=platform.quick + 60)


def _follow(
    node: LoginNode, sources: Iterable[str], table: dict[str, Entry | None]
) -> dict[str, Way]:
    """The ways to the sources; further rounds ask where links lead to."""
    for _ in range(walk.MOST_LINKS):
        ways = {source: walk.walk(source, table) for source in sources}
        unknown = sorted({path for way in ways.values() for path in way.unknown})
        if not unknown or node.dry:
            break
        step = Step("ways", (walk.stat_command(unknown),), must=False)
        table.update(walk.parse(node.run(Script((step,))).output("ways"), unknown))
    return ways


def _survey(
    result: ScriptResult, destination: Destination, platform: Platform, ways: dict[str, Way]
) -> Survey:
    uid, groups = _account(result)
    free, used = _space(result.output("disk space"))
    steps = {step.name: step for step in result.steps}
    states, rights = steps[platform.states().name], platform.rights()
    return Survey(
        uid=uid,
        groups=groups,
        exported_uid=result.output("exported UID").strip(),
        ways=ways,
        project_usable="project directory" in steps and steps["project directory"].ok,
        free_kb=free,
        used_percent=used,
        quota=tuple(quotas(result.output("quota"))),
        ready=steps[platform.ready(destination).name].ok,
        has_access=steps[platform.has_access().name].ok,
        states_known=states.ok and not platform.complaints(states.output, errors_only=True),
        states_said=states.output,
        rights=tuple(platform.missing_rights(result.output(rights.name)) if rights else ()),
        taken=tuple(platform.taken_ports(states.output)),
    )


def _space(output: str) -> tuple[int | None, int | None]:
    """Free kilobytes and percent used, from POSIX `df -P`."""
    match = re.search(r"\s\d+\s+\d+\s+(\d{1,18})\s+(\d{1,18})%\s", output)
    return (int(match[1]), int(match[2])) if match else (None, None)


def _quota_command(destination: Destination) -> Command:
    """The command by which the login node shows quotas.

    `showquota` is NERSC's: project space has a quota for each project, `-J` prints JSON, `-N`
    leaves out home and scratch (docs.nersc.gov/filesystems/quotas). `quota -q` from quota-tools
    only prints what is near its limit or over it.
    """
    project = destination.project_dir
    roots = [PurePosixPath(root) for root in destination.centre.mountable]
    root = next((root for root in roots if root in PurePosixPath(project).parents), None)
    name = PurePosixPath(project).relative_to(root).parts[0] if root else ""
    limit = ("timeout", "20")
    return Command(
        Raw("if command -v showquota >/dev/null 2>&1; then"),
        *(*limit, "showquota", "-N", "-J", *([name] if name else [])),
        Raw("; elif command -v quota >/dev/null 2>&1; then"),
        *(*limit, "quota", "-q"),
        Raw("; fi"),
    )


_OVER = re.compile(r"(?:limit reached|over .*quota|in .*grace period)", re.IGNORECASE)
# Percentage of a quota from which on it is reported.
_NEAR = 95.0


def quotas(output: str) -> Iterator[Quota]:
    """The quotas that are used up or nearly so, from the output of either command."""
    try:
        told = read_json(output[output.index("[") :])
    except ValueError:
        for line in split_lines(output):
            if _OVER.search(line):
                yield Quota(line.strip(), "grace" not in line.lower())
        return
    for entry in told if isinstance(told, list) else []:
        for what in ("space", "inode") if isinstance(entry, dict) else ():
            match = re.fullmatch(r"([0-9]{1,9}(?:\.[0-9]*)?)%?", str(entry.get(f"{what}_perc")))
            percent = float(match[1]) if match else 0.0
            if percent >= _NEAR:
                problem = f"{percent} % of the {what} quota of {entry.get('fs')} is used"
                yield Quota(problem, percent >= 100)
