"""Everything that can be checked about a stack from its own files, without a network."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator

from spinstack.checks import dockerfile, env_file, listening, own_files, storage
from spinstack.checks import names as checks_names
from spinstack.config.kubernetes import NO_PROJECT_DIR
from spinstack.config.settings import Destination, Settings
from spinstack.config.stack import Stack
from spinstack.platforms.base import Platform
from spinstack.rules import names, service_rules
from spinstack.rules.finding import Finding
from spinstack.rules.service import Service

# What the template's question for a user name suggests, and what `init` writes.
PLACEHOLDER_USER = "your-nersc-name"
PLACEHOLDER_PROJECT = "your-project"


def check(
    settings: Settings, destination: Destination, stack: Stack, platform: Platform
) -> list[Finding]:
    """The findings: errors first, then file by file and line by line."""
    findings = list(stack.findings)
    findings += checks_names.findings(settings, stack, destination)
    findings += _destination(destination)
    findings += own_files.links(settings.directory)
    findings += own_files.line_ends(settings, stack)
    findings += own_files.merges(settings, stack)
    findings += dockerfile.findings(settings, destination.centre)
    findings += platform.check(stack, destination)
    if stack.compose.findings:
        return in_order(findings)
    findings += env_file.findings(settings, stack, destination)
    findings += _unknown_services(stack)
    services, unreadable = stack.services(destination)
    findings += unreadable
    for service in services:
        found = service_rules.whole_service(service, destination.centre)
        findings += _without_unset(found, service)
        findings += storage.findings(service, stack, destination)
    findings += [] if destination.centre.own_address else _published_twice(services)
    checks = platform.health_checks(stack)
    findings += listening.findings(settings, stack, services, checks, destination.centre)
    return in_order(_without_consequences(findings))


def _destination(destination: Destination) -> list[Finding]:
    where = f"invoke.yaml, destination {destination.name}"
    findings = []
    if destination.project_dir != NO_PROJECT_DIR:
        findings += names.mountable_path(
            destination.project_dir, destination.centre, f"{where}, project_dir"
        )
    if PLACEHOLDER_PROJECT in destination.project_dir.split("/"):
        problem = f"{destination.project_dir!r} is only a placeholder"
        remedy = "set it to a directory of your project, such as /global/cfs/cdirs/desi/users/you"
        findings.append(Finding("path-mountable", f"{where}, project_dir", problem, remedy))
    if destination.user == PLACEHOLDER_USER:
        problem = f"{PLACEHOLDER_USER!r} is only a placeholder"
        remedy = (
            "set it to your login name at the centre, here or below `spinstack:` in ~/.invoke.yaml"
        )
        findings.append(Finding("user-name", f"{where}, user", problem, remedy))
    return findings


def _published_twice(services: list[Service]) -> Iterator[Finding]:
    taken: dict[str, tuple[str, str]] = {}
    for service in services:
        for index, port in enumerate(service.ports):
            key = f"ports.{index}"
            own = (service.name, service.where_set(key))
            other, first = taken.setdefault(f"{port.outside}/{port.protocol}", own)
            if other != service.name:
                problem = f"{other} and {service.name} both publish port {port.outside}"
                remedy = "write another one here: two on one port can't share a node"
                # A variable of both can't be set for one of them.
                where = service.where(key) if own[1] == first else own[1]
                yield Finding("port-twice", where, problem, remedy)


def _unknown_services(stack: Stack) -> Iterator[Finding]:
    """Services in the settings that are not in the compose file."""
    for name, setting in stack.service_settings.items():
        if name not in stack.compose.services:
            problem = f"no service {name} in {stack.compose.source}"
            near = difflib.get_close_matches(name, stack.service_names, n=1)
            remedy = f"did you mean {near[0]}?" if near else "remove it, or correct its name"
            yield Finding("service-unknown", f"invoke.yaml, {setting.where}", problem, remedy)


def _without_unset(found: list[Finding], service: Service) -> list[Finding]:
    """Leave out what only follows from an image that is not built yet: its variable is empty."""
    return [f for f in found if not (f.rule == "image-reference" and not service.image)]


def _without_consequences(findings: list[Finding]) -> list[Finding]:
    """One fault, one finding: if a line can't be read or has a variable that is not set, what
    other rules say about it is of no use."""
    # Several variables, dollar signs or items of one line are several faults.
    several = ("variable-unset", "variable-form", "compose-value")
    causes = (*several, "compose-type", "path-relative", "path-characters", "compose-merge")
    first: dict[str, Finding] = {}
    for finding in findings:
        if finding.rule in causes:
            first.setdefault(finding.where, finding)
    return [
        finding
        for finding in findings
        if _is_told(finding, first.get(finding.where, finding), several)
    ]


def _is_told(finding: Finding, first: Finding, several: tuple[str, ...]) -> bool:
    """Whether a finding is more than a consequence of the first cause in its line."""
    if finding.rule == "variable-unset":
        return True
    return finding is first or (finding.rule == first.rule and finding.rule in several)


def in_order(findings: list[Finding]) -> list[Finding]:
    """Each finding once; errors first, then file by file and line by line."""
    return sorted(dict.fromkeys(findings), key=_place)


def _place(finding: Finding) -> tuple[bool, str, int]:
    match = re.search(r":(\d+)(?: \(\w+\))?$", finding.where)
    return finding.severity != "error", finding.where.split(":")[0], int(match[1]) if match else 0


__all__ = ["check"]
