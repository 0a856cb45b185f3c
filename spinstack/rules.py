"""What Spin asks of a stack, one function a rule.

The same functions judge the answers given to cookiecutter, the stack in `invoke check` and
what the rehearsal's audit is sent. Pure: values in, findings out, no files, no network.
Sources: the annotations in `spin.yaml`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import PurePosixPath

from spinstack.centre import Centre, PortRange
from spinstack.finding import Finding
from spinstack.service import ImageName, Service


def _listed(items: Iterable[object]) -> str:
    return ", ".join(str(item) for item in items)


def stack_name(name: str, centre: Centre, where: str = "stack name") -> list[Finding]:
    """A stack's name becomes a part of its DNS name."""
    remedy = (
        f"lower-case letters, digits and hyphens, starting with a letter, not ending in a "
        f"hyphen, {centre.stack_longest} characters at most, such as nightwatch-desi"
    )
    if not re.fullmatch(centre.stack_pattern, name) or len(name) > centre.stack_longest:
        return [Finding("stack-name", where, f"{name!r} can't be a stack's name", remedy)]
    return []


def service_name(name: str, centre: Centre, where: str = "service name") -> list[Finding]:
    """A service is called after its part, optionally with a suffix: `app`, `db-archive`."""
    part, _, suffix = name.partition("-")
    bad_suffix = "-" in name and not re.fullmatch(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?", suffix)
    if part not in centre.service_names or bad_suffix:
        return [
            Finding(
                "service-name",
                where,
                f"{name!r} can't be a service's name",
                f"one of {_listed(centre.service_names)}, optionally followed by -suffix",
            )
        ]
    return []


def outside_port(port: str | int, centre: Centre, where: str = "port") -> list[Finding]:
    """The port that people use: in one of Spin's open ranges, not the reverse proxy's."""
    allowed = f"world: {_listed(centre.ports_world)}; NERSC and LBL: {_listed(centre.ports_lab)}; "
    allowed += f"NERSC only: {_listed(centre.ports_centre)}"
    number = _number(port)
    if number is None:
        return [Finding("port-number", where, f"{port!r} is no port number", allowed)]
    if _within(number, centre.ports_reserved):
        problem = f"port {number} belongs to the centre's reverse proxy"
        return [Finding("port-reserved", where, problem, allowed)]
    if not _within(number, centre.ports_open):
        problem = f"port {number} is not open at Spin"
        return [Finding("port-range", where, problem, allowed)]
    return []


def inside_port(port: str | int, centre: Centre, where: str = "port") -> list[Finding]:
    """The port inside a container: above those that need a capability."""
    number = _number(port)
    if number is None or not _within(number, centre.ports_inside):
        return [
            Finding(
                "port-inside",
                where,
                f"{port!r} can't be a port inside a container",
                f"one of {_listed(centre.ports_inside)}: lower ones need a capability",
            )
        ]
    return []


def _number(port: str | int) -> int | None:
    text = str(port)
    if not re.fullmatch(r"[0-9]{1,5}", text):
        return None
    number = int(text)
    return number if 1 <= number <= 65535 else None


def _within(number: int, ranges: Iterable[PortRange]) -> bool:
    return any(number in range_ for range_ in ranges)


def numeric_id(text: str | int, what: str, where: str) -> list[Finding]:
    """A numeric user or group id that is not root's."""
    if re.fullmatch(r"[0-9]{1,10}", str(text)) and 0 < int(text) < 2**31:
        return []
    return [
        Finding(
            "numeric-id",
            where,
            f"{text!r} is no {what}",
            "a number above 0, such as 58102 for the group desi: names mean nothing inside a "
            "container, and root is nobody on the global file systems",
        )
    ]


def absolute_path(path: str, where: str) -> list[Finding]:
    """A directory on the login node, whole: starting with /, without . and .. parts."""
    if (
        path.startswith("/")
        and not set(path) & set("\n\r\0")
        and not set(path.split("/")) & {".", ".."}
    ):
        return []
    return [
        Finding(
            "path-absolute",
            where,
            f"{path!r} is not the full path of a directory",
            "a path that starts with /, such as /global/cfs/cdirs/desi/users/you",
        )
    ]


def mountable_path(path: str, centre: Centre, where: str) -> list[Finding]:
    """Spin's nodes mount project space; home and scratch are out of their reach."""
    findings = absolute_path(path, where)
    if findings:
        return findings
    if is_below(path, centre.mountable):
        return []
    return [
        Finding(
            "path-mountable",
            where,
            f"Spin can't mount {path}",
            f"a directory below one of {_listed(centre.mountable)}: homes and scratch are not "
            "mounted on Spin's nodes",
        )
    ]


def is_below(path: str, roots: Iterable[str]) -> bool:
    """Whether `path` is one of the directories or lies in one, compared part by part."""
    pure = PurePosixPath(path)
    return any(pure == PurePosixPath(r) or PurePosixPath(r) in pure.parents for r in roots)


def image_name(name: str, centre: Centre, where: str = "image name") -> list[Finding]:
    """An image is called after the software in it (`nginx-scienceapp`)."""
    if not re.fullmatch(centre.image_pattern, name):
        problem = f"{name!r} can't be an image's name"
        remedy = "lower-case letters and digits, joined by single . _ or -"
        return [Finding("image-name", where, problem, remedy)]
    return []


def image_reference(reference: str, centre: Centre, where: str) -> list[Finding]:
    """From a registry that Spin pulls from, with a tag that does not move."""
    try:
        image = ImageName.parse(reference)
    except ValueError as error:
        remedy = "REGISTRY/NAMESPACE/NAME:TAG"
        return [Finding("image-reference", where, f"{reference!r}: {error}", remedy)]
    findings = []
    official = image.registry in centre.registries_official and (
        "/" not in image.path or image.path.startswith("library/")
    )
    if image.registry not in centre.registries_own and not official:
        findings.append(
            Finding(
                "image-registry",
                where,
                f"Spin does not pull {reference} from {image.registry}",
                f"push it to one of {_listed(centre.registries_own)}; of "
                f"{_listed(centre.registries_official)} only official images are allowed",
            )
        )
    if not image.digest and (not image.tag or image.tag in centre.floating_tags):
        findings.append(
            Finding(
                "image-tag",
                where,
                f"the tag of {reference} does not say which image it is",
                "a version, a date or a content tag: a node that has an image of that tag never "
                "looks for a newer one",
            )
        )
    return findings


def user(service: Service, centre: Centre) -> list[Finding]:
    """A service that mounts the global file system runs as a numeric user that is not root."""
    where = service.where("user")
    if not service.user:
        if not service.mounts_global(centre):
            return []
        problem = f"service {service.name} mounts the global file system and names no user"
        return [Finding("user-numeric", where, problem, 'user: "${UID}:${GROUP_ID}"')]
    uid, _, gid = service.user.partition(":")
    findings = numeric_id(uid, "numeric user id (is UID set?)", where)
    if gid or service.mounts_global(centre):
        findings += numeric_id(gid, "numeric group id", where)
    for group in service.group_add:
        findings += numeric_id(group, "numeric group id", service.where("group_add"))
    return findings


def capabilities(service: Service, centre: Centre) -> list[Finding]:
    """Dropped all where the global file system is mounted; few may be added back."""
    findings = []
    global_mount = service.mounts_global(centre)
    if global_mount and "ALL" not in {cap.upper() for cap in service.cap_drop}:
        problem = f"service {service.name} mounts the global file system with capabilities"
        findings.append(Finding("cap-drop", service.where("cap_drop"), problem, "cap_drop: [ALL]"))
    allowed = (
        centre.capabilities_with_global_mount
        if global_mount
        else centre.capabilities_without_global_mount
    )
    for cap in service.cap_add:
        if cap.upper().removeprefix("CAP_") not in allowed:
            findings.append(
                Finding(
                    "cap-add",
                    service.where("cap_add"),
                    f"service {service.name} may not have the capability {cap}",
                    f"allowed here: {_listed(sorted(allowed))}",
                )
            )
    return findings


def mounts(service: Service, centre: Centre) -> list[Finding]:
    """Every directory that is mounted lies where Spin's nodes can reach it."""
    findings = []
    for index, mount in enumerate(service.mounts):
        if mount.source.startswith("/"):
            findings += mountable_path(mount.source, centre, service.where(f"volumes.{index}"))
    return findings


def published_ports(service: Service, centre: Centre) -> list[Finding]:
    """Both sides of every published port."""
    findings = []
    for index, port in enumerate(service.ports):
        where = service.where(f"ports.{index}")
        findings += outside_port(port.outside, centre, where)
        findings += inside_port(port.inside, centre, where)
    return findings


def whole_service(service: Service, centre: Centre) -> list[Finding]:
    """Everything that can be said of one service by itself: Spin's audit."""
    findings = service_name(service.name, centre, service.where(""))
    if service.builds:
        problem = f"service {service.name} has build:, which Spin does not do"
        findings.append(
            Finding("compose-build", service.where("build"), problem, "push an image, name it")
        )
    findings += image_reference(service.image, centre, service.where("image"))
    for rule in (user, capabilities, mounts, published_ports):
        findings += rule(service, centre)
    return findings


def site_path(path: str, centre: Centre, where: str) -> list[Finding]:
    """A directory that is mounted: whole and mountable, or relative to the project directory.

    Its characters go unquoted through an environment file, Rancher's interpolation and
    `SOURCE:TARGET:MODE`: none of the three can quote, so only harmless ones are allowed.
    """
    parts = set(path.split("/"))
    if not re.fullmatch(r"[A-Za-z0-9_.+@/-]+", path) or parts & {".", ".."} or path[0] == "-":
        return [
            Finding(
                "path-characters",
                where,
                f"{path!r} can't be a directory of the stack",
                "letters, digits and _ . + @ - / without . and .. parts, as a full path or "
                "relative to the project directory",
            )
        ]
    return mountable_path(path, centre, where) if path.startswith("/") else []


def user_name(name: str, where: str = "user") -> list[Finding]:
    """A login name at the centre (POSIX portable user names, lower case)."""
    if re.fullmatch(r"[a-z_][a-z0-9_-]{0,31}", name):
        return []
    remedy = "a login name: lower-case letters, digits, _ and -, starting with a letter"
    return [Finding("user-name", where, f"{name!r} can't be a user name", remedy)]


def host_name(name: str, where: str = "host") -> list[Finding]:
    """A host name (RFC 1123) or IPv4 address, without user and port."""
    label = r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
    if len(name) <= 253 and re.fullmatch(rf"{label}(\.{label})*", name):
        return []
    remedy = "the name of a login node alone, such as perlmutter.nersc.gov"
    return [Finding("host-name", where, f"{name!r} can't be a host's name", remedy)]


def registry(name: str, centre: Centre, where: str = "registry") -> list[Finding]:
    """Where the stack's images are pushed to: one of the centre's own registries."""
    if name in centre.registries_own:
        return []
    problem = f"Spin does not pull from {name!r}"
    return [Finding("image-registry", where, problem, f"one of {_listed(centre.registries_own)}")]


def namespace(name: str, where: str = "namespace") -> list[Finding]:
    """The part of an image's name between registry and image (Docker's reference grammar)."""
    part = r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*"
    if len(name) <= 128 and re.fullmatch(rf"{part}(/{part})*", name):
        return []
    remedy = "lower-case letters and digits, joined by single . _ or -; parts separated by /"
    return [Finding("namespace", where, f"{name!r} can't be a namespace of a registry", remedy)]


def environment(name: str, centre: Centre, where: str = "environment") -> list[Finding]:
    """One of Rancher's environments at the centre."""
    if name in centre.environments:
        return []
    problem = f"Spin has no environment {name!r}"
    return [Finding("environment", where, problem, f"one of {_listed(centre.environments)}")]
