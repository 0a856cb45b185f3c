"""What a service mounts: it exists, is as deep as possible, and read-only unless written to."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath

from spinstack.checks.env_file import in_release
from spinstack.config.settings import Destination
from spinstack.config.stack import Stack
from spinstack.rules.centre import Centre
from spinstack.rules.finding import Finding
from spinstack.rules.service import Mount, Service


def findings(service: Service, stack: Stack, destination: Destination) -> Iterator[Finding]:
    """Advice on each mount, and mounts that share one target."""
    places: dict[str, int] = {}
    for index, mount in enumerate(service.mounts):
        where = service.where(f"volumes.{index}")
        first = places.setdefault(mount.target.rstrip("/"), index)
        if first != index:
            problem = f"service {service.name} mounts two things at {mount.target}"
            remedy = (
                f"move one of the two elsewhere (the other: {service.where(f'volumes.{first}')})"
            )
            yield Finding("mount-twice", where, problem, remedy)
        if mount.source.startswith("."):
            yield from _own_file(service, mount, stack, where)
        elif mount.source.startswith("/"):
            set_at = service.where_set(f"volumes.{index}")
            yield from _shallow(mount, destination.centre, set_at)
            yield from _writable(service, mount, destination.centre, where)
        elif mount.is_volume and not mount.read_only:
            yield from _owned(service, mount, where)


def _own_file(service: Service, mount: Mount, stack: Stack, where: str) -> Iterator[Finding]:
    if not in_release(stack, mount.source):
        problem = f"service {service.name} mounts {mount.source}, which is not part of a release"
        remedy = "mount a file in the stack's directory that is not hidden"
        yield Finding("mount-missing", where, problem, remedy)
    elif not mount.read_only:
        problem = f"service {service.name} could change {mount.source} in its own release"
        remedy = f"let it end in {mount.target}:ro"
        yield Finding("mount-writable", where, problem, remedy, "warning")


def _shallow(mount: Mount, centre: Centre, where: str) -> Iterator[Finding]:
    """A mount of a whole project exposes everything in it to whoever breaks into the site."""
    path = PurePosixPath(mount.source)
    for root in map(PurePosixPath, centre.mountable):
        depth = len(path.parts) - len(root.parts)
        if (path == root or root in path.parents) and depth <= centre.shallow:
            problem = f"{mount.source} is the directory of a whole project"
            remedy = "mount only the directories that the service needs, as deep as possible"
            yield Finding("mount-depth", where, problem, remedy, "warning")
            return


def _writable(service: Service, mount: Mount, centre: Centre, where: str) -> Iterator[Finding]:
    if mount.read_only or mount.target.rstrip("/") in centre.written:
        return
    problem = f"service {service.name} may write to {mount.source}, and the site is open to the "
    problem += "world"
    written = ", ".join([*centre.written, mount.target.rstrip("/")])
    remedy = f"let it end in {mount.target}:ro, or, if the service must write there, set centre: "
    remedy += f"{{storage: {{written: [{written}]}}}} in invoke.yaml"
    yield Finding("mount-writable", where, problem, remedy, "warning")


def _owned(service: Service, mount: Mount, where: str) -> Iterator[Finding]:
    """A new volume is root's. On Kubernetes it is given to the group of `user:`."""
    uid, _, group = service.user.partition(":")
    if group or uid in ("0", "root"):
        return
    problem = f"service {service.name} may not be able to write to the volume {mount.source}: "
    problem += "nothing says which group it runs as"
    remedy = "write user: with the numbers of user and group that its image is made for, as in "
    remedy += "user: '999:999' for postgres and redis"
    yield Finding("volume-owner", where, problem, remedy, "warning")
