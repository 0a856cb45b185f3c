"""What Spin requires of a whole service: user, capabilities, mounts, published ports. Pure."""

from __future__ import annotations

from dataclasses import replace

from spinstack.rules.centre import Centre
from spinstack.rules.finding import Finding
from spinstack.rules.names import (
    image_reference,
    inside_port,
    listed,
    mountable_path,
    numeric_id,
    outside_port,
    service_name,
)
from spinstack.rules.service import Service

# The person who deploys, and the group that owns the files.
OWN_USER = "write `user: '${UID}:${GROUP_ID}'`"
DROP_ALL = "write `cap_drop: [ALL]`"
# Ports for which a program needs the capability NET_BIND_SERVICE.
_LOW = {str(number) for number in range(1, 1024)}


def allowed_capabilities(centre: Centre, *, global_mount: bool) -> list[str]:
    """Those that a service may add, sorted."""
    if global_mount:
        return sorted(centre.capabilities_with_global_mount)
    return sorted(centre.capabilities_without_global_mount)


def among(capabilities: list[str]) -> str:
    """What to do about a capability that is not one of these."""
    return f"allowed here: {listed(capabilities)}"


def user(service: Service, centre: Centre) -> list[Finding]:
    """A service that mounts the global file system runs as a numeric user that is not root."""
    where = service.where("user")
    global_mount = service.mounts_global(centre)
    if not service.user and global_mount:
        problem = f"service {service.name} mounts the global file system without a user"
        return [Finding("user-numeric", where, problem, OWN_USER)]
    root = centre.root_allowed and not global_mount
    findings = _ids(service, global_mount, root) if service.user else []
    for group in service.group_add if service.user else ():
        where = service.where("group_add")
        findings += numeric_id(group, "numeric group id", where, root=root)
    return findings


def _ids(service: Service, global_mount: bool, root: bool) -> list[Finding]:
    """User and group: one finding, since one line is to be written for both; but a group that is
    set elsewhere is corrected there."""
    where = service.where("user")
    uid, colon, gid = service.user.partition(":")
    findings = numeric_id(uid, "numeric user id", where, root=root)
    if not findings and not gid and (colon or global_mount):
        problem = f"user: {service.user} of service {service.name} has no group"
        return [Finding("numeric-id", where, problem, OWN_USER)]
    if not findings and gid:
        where = service.where_set("user.group")
        findings = numeric_id(gid, "numeric group id", where, root=root)
        if "user.group" in service.origins:
            return findings
    return findings if root else [replace(found, remedy=OWN_USER) for found in findings]


def capabilities(service: Service, centre: Centre) -> list[Finding]:
    """All are dropped if the global file system is mounted, or always; few may be added back."""
    findings = []
    global_mount = service.mounts_global(centre)
    must_drop = global_mount or centre.capabilities_always_dropped
    if must_drop and "ALL" not in {cap.upper() for cap in service.cap_drop}:
        problem = f"service {service.name} mounts the global file system with capabilities"
        if not global_mount:
            problem = f"service {service.name} keeps the capabilities of its image"
        findings.append(Finding("cap-drop", service.where("cap_drop"), problem, DROP_ALL))
    allowed = allowed_capabilities(centre, global_mount=global_mount)
    for cap in service.cap_add:
        if cap.upper().removeprefix("CAP_") not in allowed:
            findings.append(
                Finding(
                    "cap-add",
                    service.where("cap_add"),
                    f"service {service.name} may not have the capability {cap}",
                    among(allowed),
                )
            )
    return findings


def mounts(service: Service, centre: Centre) -> list[Finding]:
    """Every mounted directory is where Spin's nodes can reach it."""
    findings = []
    for index, mount in enumerate(service.mounts):
        if mount.source.startswith("/"):
            findings += mountable_path(mount.source, centre, service.where_set(f"volumes.{index}"))
    return findings


def published_ports(service: Service, centre: Centre) -> list[Finding]:
    """Both sides of every published port."""
    findings = []
    for index, port in enumerate(service.ports):
        key = f"ports.{index}"
        findings += outside_port(port.outside, centre, service.where_set(key))
        if not (port.inside in _LOW and _may_listen_low(service)):
            findings += inside_port(port.inside, centre, service.where(key))
    return findings


def _may_listen_low(service: Service) -> bool:
    """Whether it has the capability for lower ports. A capability that is added reaches only
    processes of root; what else an image's own user may do, nobody here knows."""
    added = {cap.upper().removeprefix("CAP_") for cap in service.cap_add}
    return not service.user and "NET_BIND_SERVICE" in added


def whole_service(service: Service, centre: Centre) -> list[Finding]:
    """Everything that can be checked for one service by itself: Spin's audit."""
    findings = service_name(service.name, centre, service.where(""))
    if service.builds:
        problem = f"service {service.name} has build:, which Spin does not support"
        remedy = "remove build:, list its directory below images: in invoke.yaml, and name that "
        remedy += "image here, as in image: ${WEB_IMAGE}"
        findings.append(Finding("compose-build", service.where("build"), problem, remedy))
    findings += image_reference(service.image, centre, service.where("image"))
    for rule in (user, capabilities, mounts, published_ports):
        findings += rule(service, centre)
    return findings
