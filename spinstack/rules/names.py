"""What Spin requires of a stack, one function for each rule.

The same functions check the answers given to cookiecutter, the stack in `invoke check` and
what the rehearsal's audit gets. Pure: values in, findings out, no files, no network.
Sources: the annotations in `spin.yaml`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from pathlib import PurePosixPath

from spinstack.rules.centre import Centre, PortRange
from spinstack.rules.finding import Finding
from spinstack.rules.service import ImageName


def listed(items: Iterable[object]) -> str:
    return ", ".join(str(item) for item in items)


def stack_name(name: str, centre: Centre, where: str = "stack name") -> list[Finding]:
    """A stack's name becomes part of its DNS name."""
    remedy = (
        f"lower-case letters, digits and hyphens, starting with a letter, not ending in a "
        f"hyphen, at most {centre.stack_longest} characters, such as nightwatch-desi"
    )
    if not re.fullmatch(centre.stack_pattern, name) or len(name) > centre.stack_longest:
        return [Finding("stack-name", where, f"{name!r} can't be a stack name", remedy)]
    return []


def as_label(text: str, longest: int = 63) -> str:
    """A text as a part of a DNS name; empty if nothing of it can be."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:longest].rstrip("-")


def stack_name_of(directory: str, longest: int = 63) -> str:
    """A stack's name after the directory that it is made of."""
    label = as_label(directory, longest)
    return label if label[:1].isalpha() else as_label(f"stack-{label}", longest)


def service_name(name: str, centre: Centre, where: str = "service name") -> list[Finding]:
    """A service is named after its role, optionally with a suffix: `app`, `db-archive`; as it
    likes where the centre has no list of roles."""
    if not centre.service_names:
        return []
    part, _, suffix = name.partition("-")
    bad_suffix = "-" in name and not re.fullmatch(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?", suffix)
    if part not in centre.service_names or bad_suffix:
        return [
            Finding(
                "service-name",
                where,
                f"{name!r} can't be a service name",
                f"one of {listed(centre.service_names)}, optionally followed by -suffix",
            )
        ]
    return []


def outside_port(port: str | int, centre: Centre, where: str = "port") -> list[Finding]:
    """The port that people use: in one of Spin's open ranges, not the reverse proxy's."""
    allowed = f"use one that is open to the world: {listed(centre.ports_world)}; or to NERSC and "
    allowed += f"LBL: {listed(centre.ports_lab)}; or to NERSC only: {listed(centre.ports_centre)}"
    number = _number(port)
    if number is None:
        return [Finding("port-number", where, f"{port!r} is not a port number", allowed)]
    if _within(number, centre.ports_reserved):
        problem = f"port {number} belongs to the centre's reverse proxy"
        return [Finding("port-reserved", where, problem, allowed)]
    if not _within(number, centre.ports_open):
        problem = f"port {number} is not open on Spin"
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
                f"one of {listed(centre.ports_inside)}; lower ports need a capability",
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


NOT_ROOT = (
    "a number above 0, such as 58102 for the group desi: names mean nothing inside a container, "
    "and root has no rights on the global file systems"
)


def numeric_id(text: str | int, what: str, where: str, *, root: bool = False) -> list[Finding]:
    """A numeric user or group id that is not root's, unless `root` is allowed."""
    least = 0 if root else 1
    if re.fullmatch(r"[0-9]{1,10}", str(text)) and least <= int(text) < 2**31:
        return []
    if root:
        problem, remedy = f"{text!r} is not a {what}", "the number: names are the image's own"
        return [Finding("numeric-id", where, problem, remedy)]
    return [Finding("numeric-id", where, f"{text!r} is not a {what}", NOT_ROOT)]


def absolute_path(path: str, where: str) -> list[Finding]:
    """A full path of a directory on the login node: starting with /, without . and .. parts."""
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
    """Spin's nodes mount project space, but not home and scratch."""
    findings = absolute_path(path, where)
    if findings:
        return findings
    if is_below(path, centre.mountable):
        return []
    problem = f"Spin can't mount {path}"
    return [Finding("path-mountable", where, problem, instead_of_path(centre))]


def instead_of_path(centre: Centre) -> str:
    """What can be mounted."""
    allowed = f"a directory below one of {listed(centre.mountable)}"
    return f"{allowed}; home and scratch are not mounted on Spin's nodes"


def is_below(path: str, roots: Iterable[str]) -> bool:
    """Whether `path` is one of the directories or lies in one, compared part by part."""
    pure = PurePosixPath(path)
    return any(pure == PurePosixPath(r) or PurePosixPath(r) in pure.parents for r in roots)


def image_name(name: str, centre: Centre, where: str = "image name") -> list[Finding]:
    """An image is named after the software in it (`nginx-scienceapp`)."""
    if not re.fullmatch(centre.image_pattern, name):
        problem = f"{name!r} can't be an image name"
        remedy = "lower-case letters and digits, joined by single . _ or -"
        return [Finding("image-name", where, problem, remedy)]
    return []


def image_reference(reference: str, centre: Centre, where: str) -> list[Finding]:
    """From a registry that the centre pulls from (any, if it lists none), with a tag that does not
    move."""
    try:
        image = ImageName.parse(reference)
    except ValueError as error:
        remedy = "REGISTRY/NAMESPACE/NAME:TAG, the name in lower-case letters, such as "
        remedy += f"{next(iter(centre.registries_own), 'docker.io')}/you/nginx:1.28"
        return [Finding("image-reference", where, f"{reference!r}: {error}", remedy)]
    findings = []
    official = image.registry in centre.registries_official and (
        "/" not in image.path or image.path.startswith("library/")
    )
    limited = centre.registries_own or centre.registries_official
    if limited and image.registry not in centre.registries_own and not official:
        findings.append(
            Finding(
                "image-registry",
                where,
                f"Spin does not pull {reference} from {image.registry}",
                _pulled_from(centre),
            )
        )
    if not image.digest and (not image.tag or image.tag in centre.floating_tags):
        findings.append(
            Finding(
                "image-tag",
                where,
                f"the tag of {reference} does not say which image it is",
                "a version, a date or a content tag: a node that has an image with that tag never "
                "pulls a newer one",
            )
        )
    return findings


def _pulled_from(centre: Centre) -> str:
    """What to do with an image of another registry; each list may have been emptied."""
    ways = []
    if centre.registries_own:
        ways.append(f"push it to {' or '.join(centre.registries_own)}, and name it so here")
    if centre.registries_official:
        ways.append(f"of {listed(centre.registries_official)} only official images are allowed")
    return "; ".join(ways)


def site_path(path: str, centre: Centre, where: str) -> list[Finding]:
    """A directory that is mounted: whole and mountable, or relative to the project directory.

    It passes unquoted through an environment file, Rancher's interpolation and
    `SOURCE:TARGET:MODE`; none of them can quote, so only harmless characters are allowed.
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
    remedy = "only the name of a login node, such as perlmutter.nersc.gov"
    return [Finding("host-name", where, f"{name!r} can't be a host name", remedy)]


def registry(name: str, centre: Centre, where: str = "registry") -> list[Finding]:
    """Where the stack's images are pushed to: one of the centre's own registries."""
    if not centre.registries_own or name in centre.registries_own:
        return []
    problem = f"Spin does not pull from {name!r}"
    return [Finding("image-registry", where, problem, f"one of {listed(centre.registries_own)}")]


def namespace(name: str, where: str = "namespace") -> list[Finding]:
    """The part of an image's name between registry and image (Docker's reference grammar)."""
    part = r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*"
    if len(name) <= 128 and re.fullmatch(rf"{part}(/{part})*", name):
        return []
    remedy = "lower-case letters and digits, joined by single . _ or -; parts separated by /"
    return [Finding("namespace", where, f"{name!r} can't be a registry namespace", remedy)]


def cluster_namespace(name: str, where: str = "namespace") -> list[Finding]:
    """A namespace in a cluster (RFC 1123 label)."""
    if re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", name):
        return []
    remedy = "lower-case letters, digits and hyphens, at most 63 characters"
    return [Finding("namespace", where, f"{name!r} can't be a Kubernetes namespace", remedy)]


def user_id(text: str, where: str = "uid") -> list[Finding]:
    """Somebody's numeric user id, without leading zeros: YAML would read it as octal."""
    if re.fullmatch(r"[1-9][0-9]{0,9}", text) and int(text) < 2**31:
        return []
    remedy = "the number that `id -u` prints at the centre"
    return [Finding("numeric-id", where, f"{text!r} is not a numeric user id", remedy)]


def environment(name: str, centre: Centre, where: str = "environment") -> list[Finding]:
    """One of the centre's Rancher environments."""
    if name in centre.environments:
        return []
    problem = f"Spin has no environment {name!r}"
    return [Finding("environment", where, problem, f"one of {listed(centre.environments)}")]


# Rancher's own limit for names; a file name seen as /run/secrets/NAME.
_FILE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")


def secret_name(
    name: str, stack: str, services: Collection[str], where: str = "secret name"
) -> list[Finding]:
    """`SERVICE.STACK.FILE`, or `STACK.FILE` for a secret of several services."""
    for prefix in (f"{stack}.", *(f"{service}.{stack}." for service in services)):
        if name.startswith(prefix) and _FILE.fullmatch(name.removeprefix(prefix)):
            return []
    example = f"{next(iter(services), 'db')}.{stack}.password"
    remedy = f"SERVICE.{stack}.FILE, such as {example}, or {stack}.FILE for several services"
    return [Finding("secret-name", where, f"{name!r} can't be the name of a secret", remedy)]


def volume_name(
    name: str, stack: str, services: Collection[str], where: str = "volume name"
) -> list[Finding]:
    """`SERVICE.STACK`."""
    if name in {f"{service}.{stack}" for service in services}:
        return []
    allowed = ", ".join(f"{service}.{stack}" for service in services)
    problem = f"{name!r} can't be the name of a volume"
    return [Finding("volume-name", where, problem, f"SERVICE.STACK: one of {allowed}")]
