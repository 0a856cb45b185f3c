"""Checks before anything is touched: the stack's files against the rules of the centre.

Runs on the laptop, without a network. Each finding says what is wrong, where, and how to
mend it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from spinstack import compose, rules
from spinstack.finding import Finding
from spinstack.service import Service
from spinstack.settings import Destination, Settings
from spinstack.stack import COMPUTED_THERE, SOME_UID, Stack

# The answer that the template's question for a user name suggests.
PLACEHOLDER_USER = "your-nersc-name"


def check(settings: Settings, destination: Destination, stack: Stack) -> list[Finding]:
    """Everything that can be said about a stack from its own files."""
    findings = list(stack.findings)
    findings += rules.stack_name(stack.name, destination.centre, "invoke.yaml, spinstack.stack")
    findings += _destination(destination)
    for image in settings.images:
        where = f"invoke.yaml, spinstack.images.{image.key}.name"
        findings += rules.image_name(image.name, destination.centre, where)
    if stack.compose.findings:
        return findings
    findings += _version(stack, destination)
    findings += _variables(stack, destination)
    services, unreadable = stack.services(destination)
    findings += unreadable
    for service in services:
        findings += _without_unset(rules.whole_service(service, destination.centre), service, stack)
    findings += _health_checks(stack, services)
    return _unique(findings)


def _destination(destination: Destination) -> list[Finding]:
    where = f"invoke.yaml, destination {destination.name}"
    findings = rules.mountable_path(
        destination.project_dir, destination.centre, f"{where}, project_dir"
    )
    if destination.user == PLACEHOLDER_USER:
        problem = f"{PLACEHOLDER_USER!r} is nobody's name"
        remedy = "put your name on the login node there, or into ~/.invoke.yaml"
        findings.append(Finding("user-name", f"{where}, user", problem, remedy))
    if destination.environment not in destination.centre.environments:
        problem = f"Rancher has no environment {destination.environment!r}"
        remedy = f"one of {', '.join(destination.centre.environments)}"
        findings.append(Finding("environment", f"{where}, environment", problem, remedy))
    return findings


def _version(stack: Stack, destination: Destination) -> list[Finding]:
    wanted = destination.centre.compose_version
    findings = []
    for file in (stack.compose, stack.rancher):
        if file is None or file.findings:
            continue
        version = file.data.get("version")
        if str(version) != wanted:
            problem = f"compose file version {version!r}"
            remedy = f"version: '{wanted}' (Rancher 1 reads no other)"
            findings.append(Finding("compose-version", file.where("version"), problem, remedy))
    return findings


def _variables(stack: Stack, destination: Destination) -> list[Finding]:
    values = {**dict.fromkeys(COMPUTED_THERE, SOME_UID), **stack.variables(destination)}
    findings = compose.variable_findings(stack.compose, values)
    used = {name for name, _ in compose.variables(stack.compose.data)}
    for name, variable in stack.env.items():
        if name not in used and not _given_to_containers(stack):
            where = f"{stack.env_name}:{variable.line}"
            problem = f"{name} is set and nothing uses it"
            remedy = "remove the line, or use it in the compose file"
            findings.append(Finding("variable-unused", where, problem, remedy, "warning"))
    return findings


def _given_to_containers(stack: Stack) -> bool:
    """Whether a service reads the whole env file, so that any variable may be of use."""
    return any("env_file" in service for service in stack.compose.services.values() if service)


def _without_unset(found: list[Finding], service: Service, stack: Stack) -> list[Finding]:
    """Leave out what follows from an image that is not built yet: its variable is empty."""
    return [f for f in found if not (f.rule == "image-reference" and not service.image)]


def _health_checks(stack: Stack, services: list[Service]) -> list[Finding]:
    """The port of a health check and the inside of a published port are the image's own: both
    must be one that the service listens on."""
    if stack.rancher is None or stack.rancher.findings:
        return []
    findings = []
    for service in services:
        settings: Mapping[str, Any] = stack.rancher.services.get(service.name) or {}
        port = (settings.get("health_check") or {}).get("port")
        where = stack.rancher.where("services", service.name, "health_check", "port")
        if port is None:
            problem = f"service {service.name} has no health check: nobody sees when it is broken"
            remedy = "health_check: with port and request_line in rancher-compose.yml"
            findings.append(Finding("health-check", where, problem, remedy, "warning"))
        elif service.ports and str(port) not in {published.inside for published in service.ports}:
            inside = ", ".join(published.inside for published in service.ports)
            problem = f"the health check asks port {port}, the service publishes {inside}"
            findings.append(Finding("health-port", where, problem, "make the two the same"))
    return findings


def _unique(findings: list[Finding]) -> list[Finding]:
    return sorted(dict.fromkeys(findings), key=_place)


def _place(finding: Finding) -> tuple[bool, str, int]:
    """Errors first, then file by file and line by line."""
    match = re.search(r":(\d+)$", finding.where)
    return finding.severity != "error", finding.where.split(":")[0], int(match[1]) if match else 0
