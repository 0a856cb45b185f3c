"""The findings that follow from the login node's answers."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from spinstack.checks.survey import Survey
from spinstack.checks.walk import Entry, Way
from spinstack.config.settings import Destination
from spinstack.platforms.base import Platform
from spinstack.rules import names
from spinstack.rules.centre import Centre
from spinstack.rules.finding import Finding, Severity
from spinstack.rules.service import Mount, Service
from spinstack.text import whole_number

# A release is some 30 kB, a night of pages hundreds of MB.
LITTLE_KB = 1_000_000
FULL_PERCENT = 99


@dataclass(frozen=True)
class Use:
    """A mount of a service, with the file and line where its source is set."""

    service: Service
    mount: Mount
    where: str


def uses(services: Iterable[Service]) -> list[Use]:
    """Every mount of a directory of the global file system."""
    return [
        Use(service, mount, service.where_set(f"volumes.{index}"))
        for service in services
        for index, mount in enumerate(service.mounts)
        if mount.source.startswith("/")
    ]


def findings(
    seen: Survey,
    services: list[Service],
    destination: Destination,
    platform: Platform,
    stack: str,
) -> list[Finding]:
    """Everything that is wrong on the login node.

    `services`: with the login node's value of `${UID}`, see `Survey.uid`.
    """
    mounted = [use for use in uses(services) if use.mount.source in seen.ways]
    found: list[Finding] = []
    if not destination.on_laptop:
        found += _account(seen, destination)
        found += _project(seen, destination)
        found += _space(seen, destination)
    found += mounts(seen, mounted, destination)
    found += access(seen, destination, platform)
    found += _ports(seen, services, stack, destination)
    return found


def mounts(seen: Survey, mounted: list[Use], destination: Destination) -> list[Finding]:
    """What keeps the nodes, and the containers on them, from what is mounted."""
    found = [*_blocked(seen, mounted, destination)]
    for use in mounted:
        found += _source(seen, use, destination)
    return found


def access(seen: Survey, destination: Destination, platform: Platform) -> list[Finding]:
    """What keeps the account from the platform, or from a deploy there."""
    found = platform.access_findings(
        destination,
        ready=seen.ready,
        access=seen.has_access,
        states=seen.states_known,
        said=seen.states_said,
    )
    return [*found, *seen.rights]


def _account(seen: Survey, destination: Destination) -> Iterator[Finding]:
    where = f"{destination.user}@{destination.host}".lstrip("@")
    remedy = "log in with a personal or a collaboration account"
    if not seen.uid:
        problem = "`id -u` does not say who you are on the login node"
        if seen.uid == 0:
            problem = "you are root on the login node"
        yield Finding("uid-unset", where, problem, remedy)
    elif seen.ready and seen.exported_uid != str(seen.uid):
        problem = f"${{UID}} is {seen.exported_uid or 'not set'} on the login node, but you are "
        problem += str(seen.uid)
        remedy = "remove what changes UID from the shell's start-up files there"
        yield Finding("uid-unset", where, problem, remedy)


def _project(seen: Survey, destination: Destination) -> Iterator[Finding]:
    path = destination.project_dir
    way = seen.ways[path]
    setup = f"run `invoke setup --to {destination.name}`"
    if way.missing:
        yield Finding("project-dir", path, "the project directory does not exist", setup)
    elif not seen.project_usable:
        owner = f" ({way.end.permissions} {way.end.owner}:{way.end.group})" if way.end else ""
        problem = f"you can't write to the project directory{owner}"
        remedy = "set project_dir in invoke.yaml to a directory of yours (is the file system "
        remedy += "read-only? see the centre's status page)"
        yield Finding("project-dir", path, problem, remedy)


def _space(seen: Survey, destination: Destination) -> Iterator[Finding]:
    where = destination.project_dir
    severity: Severity
    if seen.free_kb is not None and seen.used_percent is not None:
        full = seen.free_kb < LITTLE_KB or seen.used_percent > FULL_PERCENT
        if full:
            problem = f"only {seen.free_kb // 1000} MB are free ({seen.used_percent} % used)"
            severity = "error" if seen.free_kb < 1000 else "warning"
            yield Finding("disk-space", where, problem, "free some space there", severity)
    for quota in seen.quota:
        severity = "error" if quota.reached else "warning"
        yield Finding("disk-quota", where, quota.problem, "free some space there", severity)


def _blocked(seen: Survey, mounted: list[Use], destination: Destination) -> Iterator[Finding]:
    """One finding for each directory that Spin's nodes can't enter, however much is below it."""
    for entry, sources in blocked(seen, mounted, destination).items():
        problem = f"lacks o+x ({entry.permissions} {entry.owner}:{entry.group}): "
        problem += f"Spin's nodes can't reach {_some(sources)}"
        yield Finding("mount-walk", _shown(entry.path), problem, _mend(entry, seen))


def blocked(seen: Survey, mounted: list[Use], destination: Destination) -> dict[Entry, list[str]]:
    """The directories without o+x above the mounts, each with the sources below it."""
    found: dict[Entry, list[str]] = {}
    for source in dict.fromkeys([*(use.mount.source for use in mounted), destination.project_dir]):
        entry = seen.ways[source].blocked if source in seen.ways else None
        if entry:
            found.setdefault(entry, []).append(source)
    return found


def chmod(entry: Entry) -> str:
    """The smallest change that lets others enter."""
    return f"chmod o+x {shlex.quote(entry.path)}"


def _mend(entry: Entry, seen: Survey) -> str:
    ours = entry.uid == seen.uid
    return chmod(entry) if ours else f"ask {entry.owner or entry.uid} to run: {chmod(entry)}"


def _source(seen: Survey, use: Use, destination: Destination) -> Iterator[Finding]:
    """Whether what is mounted exists, and whether the container can use it."""
    way = seen.ways[use.mount.source]
    if way.end is not None:
        yield from _access(seen, use, way.end)
    elif way.loop:
        problem = f"{_shown(use.mount.source)}: the link {_shown(way.loop)} leads back to itself"
        yield Finding("mount-source", use.where, problem, "correct the link")
    elif hidden := way.hidden_behind(seen.uid or 0, seen.groups):
        if hidden != way.blocked:
            problem = f"you can't look into {_shown(hidden.path)} ({hidden.permissions})"
            remedy = f"ask {hidden.owner} whether {use.mount.source} exists"
            yield Finding("mount-source", use.where, problem, remedy, "warning")
    else:
        problem = f"{_shown(use.mount.source)} does not exist{_first_missing(way)}"
        # Setup creates nothing elsewhere.
        make = f"run `invoke setup --to {destination.name}`"
        if destination.on_laptop or not names.is_below(use.mount.source, [destination.project_dir]):
            make = f"run there: mkdir -p {shlex.quote(use.mount.source)}"
        yield Finding("mount-source", use.where, problem, f"correct the path, or {make}")


def _first_missing(way: Way) -> str:
    return "" if way.missing == way.source else f" ({_shown(way.missing)} is missing)"


def _access(seen: Survey, use: Use, entry: Entry) -> Iterator[Finding]:
    """Whether the container may use it: its own ids decide, not those of the login, and its
    supplementary groups are only those of group_add."""
    uid, groups = container_ids(use.service)
    if not uid:
        return  # the image decides, or it is root, for which there is another rule
    wanted = 4 | (0 if use.mount.read_only else 2) | (1 if entry.is_directory else 0)
    if entry.allows(wanted, uid, groups):
        return
    verb = "read" if use.mount.read_only or not entry.allows(wanted & ~2, uid, groups) else "write"
    who = f"{use.service.name} (uid {uid}, groups {_listed(sorted(groups))})"
    problem = f"{who} can't {verb} {_shown(entry.path)}: {entry.permissions} "
    problem += f"{entry.owner}:{entry.group}"
    yield Finding("mount-access", use.where, problem, _grant(entry, wanted, uid, groups, seen))


def container_ids(service: Service) -> tuple[int | None, frozenset[int]]:
    """The numeric user and groups of a service's processes; None if the image decides."""
    uid, _, gid = service.user.partition(":")
    numbers = map(whole_number, (gid, *service.group_add))
    return whole_number(uid), frozenset(number for number in numbers if number is not None)


def _grant(entry: Entry, wanted: int, uid: int, groups: frozenset[int], seen: Survey) -> str:
    """The smallest change that lets the container in, and who has to make it."""
    path = shlex.quote(entry.path)
    who = "u" if uid == entry.uid else "g" if entry.gid in groups else "o"
    if who == "o" and wanted & 2:
        # Never suggest making a directory writable for everybody.
        change = f"chgrp {min(groups, default=uid)} {path} && chmod g+{_letters(wanted)} {path}"
    else:
        bits = entry.mode >> {"u": 6, "g": 3, "o": 0}[who]
        change = f"chmod {who}+{_letters(wanted & ~bits)} {path}"
    return change if entry.uid == seen.uid else f"ask {entry.owner or entry.uid} to run: {change}"


def _letters(bits: int) -> str:
    return "".join(letter for bit, letter in ((4, "r"), (2, "w"), (1, "x")) if bits & bit)


def _ports(
    seen: Survey, services: list[Service], stack: str, destination: Destination
) -> Iterator[Finding]:
    used = {port.outside for service in services for port in service.ports}
    used |= {taken.port for taken in seen.taken}
    for service in services:
        for index, port in enumerate(service.ports):
            for taken in seen.taken:
                if taken.port == port.outside and taken.stack != stack:
                    problem = f"port {port.outside} is in use by {taken.stack}/{taken.service}"
                    free = _like(port.outside, used, destination.centre)
                    remedy = f"use {free or 'another one'}: two on one port can't share a node"
                    yield Finding(
                        "port-taken", service.where_set(f"ports.{index}"), problem, remedy
                    )


def _like(port: str, used: set[str], centre: Centre) -> str:
    """The next free port that the same people reach; empty if there is none."""
    taken = whole_number(port)
    for ranges in (centre.ports_world, centre.ports_lab, centre.ports_centre):
        if taken is not None and any(taken in range_ for range_ in ranges):
            every = [number for range_ in ranges for number in range(range_.first, range_.last + 1)]
            later = sorted(every, key=lambda number: (number < taken, number))
            return next((str(number) for number in later if str(number) not in used), "")
    return ""


def _listed(items: Iterable[object]) -> str:
    return ", ".join(_shown(str(item)) for item in items)


def _some(paths: list[str]) -> str:
    more = f" and {len(paths) - 2} more" if len(paths) > 2 else ""
    return _listed(paths[:2]) + more


def _shown(path: str) -> str:
    """A path as it is, quoted if it could be misread."""
    return path if path.isprintable() and " " not in path else shlex.quote(repr(path)[1:-1])
