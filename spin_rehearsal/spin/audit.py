"""Spin's audit: what the API refuses to create. Pure.

The rules are those that also judge a stack before it is sent; only what makes sense in a
file (the format's version, `build:`) is left to whoever reads the files.
"""

from __future__ import annotations

import re

from spin_rehearsal.spin.errors import ApiError, invalid
from spin_rehearsal.spin.launch import Launch
from spinstack.rules import service, service_rules
from spinstack.rules.centre import Centre
from spinstack.rules.finding import Finding, errors


def as_service(name: str, launch: Launch) -> service.Service:
    """The service in the words of the rules."""
    return service.Service(
        name=name,
        image=launch.image,
        user=launch.user,
        group_add=launch.group_add,
        cap_add=launch.cap_add,
        cap_drop=launch.cap_drop,
        mounts=launch.mounts,
        ports=launch.ports,
        environment=launch.environment,
    )


def findings(name: str, launch: Launch, centre: Centre) -> list[Finding]:
    """What the audit has against a service."""
    return errors(service_rules.whole_service(as_service(name, launch), centre))


def check(name: str, launch: Launch, centre: Centre) -> None:
    """Raises ApiError (422) that tells everything the audit has against it, and what it
    allows instead."""
    found = findings(name, launch, centre)
    if found:
        told = "; ".join(f"{finding.problem} (allowed: {finding.remedy})" for finding in found)
        raise ApiError(422, "AuditFailed", f"Spin's audit: {told}", _field(found[0]))


# Field of the launchConfig for the first part of a rule's id.
_FIELDS = {
    "service": "name",
    "image": "imageUuid",
    "user": "user",
    "numeric": "user",
    "cap": "capAdd",
    "path": "dataVolumes",
    "port": "ports",
}


def _field(finding: Finding) -> str:
    return _FIELDS.get(finding.rule.partition("-")[0], "launchConfig")


def check_name(name: object, field: str = "name") -> str:
    """A name as Rancher takes it for stacks and services: letters, digits and hyphens, no
    hyphen at an end. Raises ApiError (422). Spin's own rules for stacks are told by
    `invoke check`, since Rancher itself makes stacks such as `Default`."""
    if not isinstance(name, str) or not name:
        raise invalid(field, f"{field} is required", "MissingRequired")
    if len(name) > 63:
        raise invalid(field, f"{field} is longer than 63 characters", "MaxLengthExceeded")
    if not re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?", name):
        raise invalid(field, f"{name!r} has characters that a name can't have", "InvalidCharacters")
    return name
