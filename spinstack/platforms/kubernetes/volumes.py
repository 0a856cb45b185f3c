"""What a container finds mounted: directories of the node, claims, files of the stack, secrets,
and memory."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from spinstack.platforms.kubernetes import files, quantities
from spinstack.platforms.kubernetes.names import Volumes
from spinstack.platforms.kubernetes.source import Source
from spinstack.rules.service import Mount

# Of memory, for a tmpfs without a size: what Docker would not limit at all. It is used only when
# it is filled; the template's nginx keeps up to 384 MB of pages in its own.
TMPFS_SIZE = "1Gi"
SECRETS = "/run/secrets"
SHM = "/dev/shm"


@dataclass
class Mounted:
    """The volumes of a pod and where its container has them; `config`: the ConfigMap that is one
    of them, by name, with its files."""

    volumes: list[dict[str, Any]] = field(default_factory=list)
    mounts: list[dict[str, Any]] = field(default_factory=list)
    config: tuple[str, list[files.StackFile]] | None = None

    def add(self, name: str, what: dict[str, Any]) -> None:
        self.volumes.append({"name": name, **what})

    def at(self, name: str, path: str, **more: Any) -> None:
        """`more`: keys without a value are left out, as the server would."""
        kept = {key: value for key, value in more.items() if value}
        self.mounts.append({"name": name, "mountPath": path.rstrip("/") or "/", **kept})


def mounted(source: Source) -> Mounted:
    """Everything that a service mounts."""
    found, names = Mounted(), Volumes()
    own = files.of_service(source)
    if own:
        found.config = files.name(source, own), own
    claims: dict[str, str] = {}
    for mount in source.service.mounts:
        if files.is_own(mount):
            _files(found, names, source, mount)
        elif mount.source.startswith("/"):
            name = names.name(mount.target)
            found.add(name, {"hostPath": {"path": mount.source, "type": "Directory"}})
            found.at(name, mount.target, readOnly=mount.read_only)
        elif mount.source:
            _claim(found, names, claims, mount)
        else:
            name = names.name(mount.target)
            found.add(name, {"emptyDir": {}})
            found.at(name, mount.target)
    for path, size in memory(source):
        name = names.name(path)
        found.add(name, {"emptyDir": {"medium": "Memory", "sizeLimit": size}})
        found.at(name, path)
    _secrets(found, names, source)
    return found


def _files(found: Mounted, names: Volumes, source: Source, mount: Mount) -> None:
    """A volume with the files of one mount: a single one is mounted by its name in it."""
    inside = files.of_mount(source.stack, mount)
    if not inside or not found.config:
        return
    alone = len(inside) == 1 and not inside[0].path
    last = mount.target.rstrip("/").rpartition("/")[2]
    listed = [{"key": it.key, "path": it.path or last, "mode": it.mode} for it in inside]
    name = names.name(mount.target)
    found.add(name, {"configMap": {"name": found.config[0], "items": listed}})
    found.at(name, mount.target, readOnly=True, subPath=last if alone else "")


def _claim(found: Mounted, names: Volumes, claims: dict[str, str], mount: Mount) -> None:
    if mount.source not in claims:
        claims[mount.source] = names.name(mount.source)
        claim = {"persistentVolumeClaim": {"claimName": mount.source}}
        found.add(claims[mount.source], claim)
    found.at(claims[mount.source], mount.target, readOnly=mount.read_only)


def claimed(source: Source) -> Iterator[Mount]:
    """The mounts of named volumes."""
    yield from (mount for mount in source.service.mounts if mount.is_volume)


def memory(source: Source) -> Iterator[tuple[str, str]]:
    """Directories in memory: path and size of each."""
    written = source.keys.get("tmpfs")
    for item in written if isinstance(written, list) else [written]:
        path, _, options = str(item or "").partition(":")
        if path.startswith("/"):
            size = re.search(r"(?:^|,)size=([^,]+)", options)
            yield path, (quantities.memory(size[1]) if size else None) or TMPFS_SIZE
    shm = quantities.memory(source.keys.get("shm_size"))
    if shm:
        yield SHM, shm


@dataclass(frozen=True)
class Secret:
    """A secret of a service: its name, and the file that holds it in the container."""

    name: str
    target: str
    mode: int | None = None


def secrets(source: Source) -> list[Secret]:
    """Those under `secrets:`, in the short and in the long form."""
    found = []
    written = source.keys.get("secrets")
    for item in written if isinstance(written, list) else ():
        told = item if isinstance(item, dict) else {"source": item}
        name = str(told.get("source") or "")
        mode = told.get("mode")
        if name:
            target = str(told.get("target") or name)
            found.append(Secret(name, target, mode if isinstance(mode, int) else None))
    return found


def _secrets(found: Mounted, names: Volumes, source: Source) -> None:
    """The usual ones together in one directory; one with a path of its own by itself. The key in
    a Secret is the secret's own name."""
    group = source.service.user.partition(":")[2]
    # The pod's group may read them; without one, whoever the image's user is.
    mode = 0o440 if group.isdigit() else 0o444
    usual = []
    for secret in secrets(source):
        items = [{"key": secret.name, "path": secret.target.rpartition("/")[2]}]
        if secret.mode is not None:
            items = [{**items[0], "mode": secret.mode}]  # type: ignore[dict-item]
        if secret.target.startswith("/"):
            name = names.name(secret.target)
            volume = {"secretName": secret.name, "defaultMode": mode, "items": items}
            found.add(name, {"secret": volume})
            found.at(name, secret.target, readOnly=True, subPath=items[0]["path"])
        else:
            usual.append({"secret": {"name": secret.name, "items": items}})
    if usual:
        name = names.name(SECRETS)
        found.add(name, {"projected": {"defaultMode": mode, "sources": usual}})
        found.at(name, SECRETS, readOnly=True)
