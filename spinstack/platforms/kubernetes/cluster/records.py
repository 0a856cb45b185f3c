"""What is kept about a stack in its namespace: its releases, and its record. Pure.

A release is a ConfigMap with the manifests, compressed, and a note about it. The record is one
ConfigMap with the release that runs, what is unfinished, and the history. Secrets of the stack are
in neither.
"""

from __future__ import annotations

import base64
import binascii
import gzip
import json
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from spinstack.errors import SpinstackError
from spinstack.platforms.kubernetes import labels
from spinstack.platforms.kubernetes.cluster import lease
from spinstack.platforms.kubernetes.cluster.output import rows, template
from spinstack.platforms.kubernetes.cluster.tree import label, mapping, named, text
from spinstack.platforms.kubernetes.kubectl import create, kubectl, merge, replace
from spinstack.text import read_json
from spinstack.transport.command import Command

if TYPE_CHECKING:
    from spinstack.config.kubernetes import Cluster

RELEASE, RECORD = "release", "record"
# States of a release: it was begun, it has run.
BEGUN, CONFIRMED = "begun", "confirmed"
STATE = "spinstack/state"
# Bytes that a ConfigMap may hold, less some for what is beside the manifests.
# Source: kubernetes.io, "ConfigMaps".
LARGEST = 1024 * 1024 - 32 * 1024
# Bytes to read of manifests: more than can be applied.
_LONGEST = 64 * 1024 * 1024
# Lines of the history that are kept.
HISTORY = 200
_LONGEST_HISTORY = 512 * 1024
_MANIFESTS, _NOTE = "manifests.gz", "note"
_CURRENT, _UNFINISHED, _HISTORY = "current", "unfinished", "history"


@dataclass(frozen=True)
class Release:
    """A release that is kept, without its manifests. `note`: what was noted when it was made."""

    id: str
    state: str = BEGUN
    note: Mapping[str, Any] = field(default_factory=dict)

    @property
    def confirmed(self) -> bool:
        return self.state == CONFIRMED


@dataclass(frozen=True)
class Record:
    """`current`: id of the release that runs; `unfinished`: what a change left; `history`: lines of
    JSON, oldest first; `version`, `uid`: for the next change of it, empty if there is none yet."""

    current: str = ""
    unfinished: Mapping[str, Any] = field(default_factory=dict)
    history: tuple[str, ...] = ()
    version: str = ""
    uid: str = ""


@dataclass(frozen=True)
class Kept:
    """All that is kept about a stack; `lock` is None if it was never locked."""

    lock: lease.Lease | None = None
    record: Record = field(default_factory=Record)
    releases: tuple[Release, ...] = ()


# --- All at once -----------------------------------------------------------------------------

# One template for both kinds, so that one call reads them: what an object does not have is empty.
# Never binaryData, the manifests.
_ROWS = template(
    "kept",
    f"{{.metadata.labels.{labels.path(labels.KIND)}}}",
    "{.metadata.name}",
    "{.metadata.resourceVersion}",
    "{.metadata.uid}",
    "{.metadata.annotations}",
    "{.spec}",
    "{.data}",
)


def look(cluster: Cluster, stack: str) -> Command:
    """The lock, the record and the releases of a stack."""
    kinds = f"{lease.RESOURCE},configmaps"
    return kubectl(cluster, "get", kinds, "-l", labels.of_records(stack), "-o", _ROWS)


def read(output: str, stack: str) -> Kept:
    """Releases by id, which is by age. Raises Garbled."""
    return of_objects(map(_object, rows(output, "kept", 7)), stack)


def of_objects(found: Iterable[Mapping[str, Any]], stack: str) -> Kept:
    """The same, from objects of any kind."""
    lock, record, releases = None, Record(), []
    for one in found:
        kind, prefix = label(one, labels.KIND), release_name(stack, "")
        if kind == lease.KIND:
            lock = lease.read(one)
        elif kind == RECORD:
            record = read_record(one)
        elif kind == RELEASE and named(one).startswith(prefix):
            note = _value(text(one, "data", _NOTE))
            state = text(one, "metadata", "annotations", STATE)
            releases.append(Release(named(one).removeprefix(prefix), state, note))
    return Kept(lock, record, tuple(sorted(releases, key=lambda one: one.id)))


def _object(row: Sequence[str]) -> dict[str, Any]:
    """As the template printed it."""
    kind, name, version, uid, *told = row
    annotations, spec, data = map(_value, told)
    metadata = {"name": name, "resourceVersion": version, "uid": uid, "annotations": annotations}
    return {"metadata": {**metadata, "labels": {labels.KIND: kind}}, "spec": spec, "data": data}


def _value(written: str) -> dict[str, Any]:
    """A JSON object; empty for anything else."""
    try:
        found = read_json(written) if written else {}
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


# --- Releases --------------------------------------------------------------------------------


def release_name(stack: str, id: str) -> str:
    return f"spinstack-{stack}-{id}"


def release(stack: str, id: str, manifests: str, note: Mapping[str, Any]) -> dict[str, Any]:
    """The object of a release that is begun. Raises SpinstackError if it is too large."""
    packed = gzip.compress(manifests.encode(), mtime=0)
    told = json.dumps(dict(note), ensure_ascii=True)
    if len(packed) + len(told) > LARGEST:
        size = (len(packed) + len(told)) // 1024
        raise SpinstackError(
            f"the release has {size} kB of compressed manifests; Kubernetes keeps at most "
            f"{LARGEST // 1024} kB",
            where=f"{stack}, release {id}",
            remedy="move large files of the stack into an image, or into a mounted directory",
        )
    made = _config_map(stack, release_name(stack, id), RELEASE)
    made["metadata"]["annotations"] = {STATE: BEGUN}
    made["data"] = {_NOTE: told}
    made["binaryData"] = {_MANIFESTS: base64.b64encode(packed).decode()}
    return made


def keep(cluster: Cluster, made: Mapping[str, Any]) -> Command:
    """Creates the object of a release; in the answer, `exists` says that it is kept already."""
    return create(cluster, made, output="name")


def mark(cluster: Cluster, stack: str, id: str, state: str) -> Command:
    """Notes the state of a release."""
    patch = json.dumps({"metadata": {"annotations": {STATE: state}}})
    return merge(cluster, "configmaps", release_name(stack, id), patch)


def forget(cluster: Cluster, stack: str, ids: Sequence[str]) -> Command:
    """Removes releases. Fine if one is gone already."""
    names = [release_name(stack, id) for id in ids]
    return kubectl(cluster, "delete", "configmaps", *names, "--ignore-not-found", "--wait=false")


def look_manifests(cluster: Cluster, stack: str, id: str) -> Command:
    path = f"jsonpath={{.binaryData.{labels.path(_MANIFESTS)}}}"
    return kubectl(cluster, "get", "configmaps", release_name(stack, id), "-o", path)


def packed(found: Iterable[Mapping[str, Any]], stack: str) -> dict[str, str]:
    """The manifests of the releases among objects, by id, as that command prints them."""
    prefix = release_name(stack, "")
    return {
        named(one).removeprefix(prefix): text(one, "binaryData", _MANIFESTS)
        for one in found
        if label(one, labels.KIND) == RELEASE and named(one).startswith(prefix)
    }


def read_manifests(output: str) -> str:
    """The manifests as text. Raises ValueError for what are none."""
    try:
        packed = base64.b64decode(output.strip(), validate=True)
        # Not gzip.decompress, which has no limit.
        reader = zlib.decompressobj(wbits=31)
        found = reader.decompress(packed, _LONGEST)
    except (binascii.Error, zlib.error) as error:
        raise ValueError(f"no manifests: {error}") from None
    if not reader.eof:
        raise ValueError("no manifests: cut off")
    return found.decode()


# --- The record ------------------------------------------------------------------------------


def record_name(stack: str) -> str:
    return f"spinstack-{stack}"


def record(stack: str, kept: Record) -> dict[str, Any]:
    """The object of a record; the oldest lines of its history are left out if there are many."""
    made = _config_map(stack, record_name(stack), RECORD)
    if kept.version:
        made["metadata"] |= {"resourceVersion": kept.version, "uid": kept.uid}
    made["data"] = {
        _CURRENT: kept.current,
        _UNFINISHED: json.dumps(dict(kept.unfinished)) if kept.unfinished else "",
        _HISTORY: "".join(f"{line}\n" for line in _newest(kept.history)),
    }
    return made


def write(cluster: Cluster, stack: str, kept: Record) -> Command:
    """In the answer, `conflict` or `exists` say that somebody else has written meanwhile."""
    made = record(stack, kept)
    return replace(cluster, made) if kept.version else create(cluster, made)


def read_record(found: Mapping[str, Any]) -> Record:
    """From the object."""
    metadata = mapping(found, "metadata")
    return _record(mapping(found, "data"), text(metadata, "resourceVersion"), text(metadata, "uid"))


def _record(data: Mapping[str, Any], version: str, uid: str) -> Record:
    lines = text(data, _HISTORY).split("\n")
    return Record(
        current=text(data, _CURRENT),
        unfinished=_value(text(data, _UNFINISHED)),
        history=tuple(line for line in lines if line.strip()),
        version=version,
        uid=uid,
    )


def _newest(history: Sequence[str]) -> list[str]:
    found: list[str] = []
    size = 0
    for line in reversed(history[-HISTORY:]):
        size += len(line.encode()) + 1
        if size > _LONGEST_HISTORY:
            break
        found.append(line)
    return found[::-1]


def _config_map(stack: str, name: str, kind: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": name,
            "labels": {
                labels.PART_OF: stack,
                labels.MANAGED_BY: labels.MANAGER,
                labels.KIND: kind,
            },
        },
    }
