"""What an apply would change: the server's own answer to a dry run, compared with what is there.

So that neither what the server fills in nor what webhooks and Rancher's page stamp on objects looks
like a difference. Pure.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from spinstack.platforms.kubernetes import labels
from spinstack.platforms.kubernetes.cluster.tree import mapping, named, text
from spinstack.platforms.kubernetes.kubectl import FIELD_MANAGER, fed, kubectl
from spinstack.text import split_lines
from spinstack.transport.command import MASK, Command

if TYPE_CHECKING:
    from spinstack.config.kubernetes import Cluster

# Seconds for a request that goes through webhooks.
_ADMISSION = 30
# What the server alone writes.
_SERVERS = (
    "managedFields",
    "resourceVersion",
    "uid",
    "generation",
    "creationTimestamp",
    "selfLink",
)
_STAMPS = (
    *("kubectl.kubernetes.io/last-applied-configuration", "deployment.kubernetes.io/"),
    *(labels.RELEASE, labels.REPLICAS),
)
# By which of their values the items of a list are the same ones.
_KEYS = ("name", "mountPath", "containerPort", "port", "host", "path", "key")
# The value of a variable.
_VALUE = re.compile(r"\benv\[[^\]]*\]\.value$")
_NOTHING = object()
# Of each place in a file that changed, so many lines are shown.
_LINES_SHOWN = 20
# Of more than so many lines one place is made: to match them takes the square of their number.
_LINES_MATCHED = 1000


@dataclass(frozen=True)
class Difference:
    """Something that an apply would change. `where`: in the object, empty for all of it; `old` and
    `new`: None if it is not there."""

    kind: str
    name: str
    where: str = ""
    old: str | None = None
    new: str | None = None

    @property
    def line(self) -> str:
        place = f"{self.kind} {self.name}" + (f", {self.where}" if self.where else "")
        if self.old is None:
            return f"{place}: + {self.new}"
        if self.new is None:
            return f"{place}: - {self.old}"
        return f"{place}: {self.old} → {self.new}"


def apply_words(*, dry_run: bool) -> tuple[str, ...]:
    """Words of an apply by which all fields become ours that we set."""
    words = ("apply", "--server-side", f"--field-manager={FIELD_MANAGER}", "--force-conflicts")
    return (*words, "--dry-run=server") if dry_run else words


def apply(cluster: Cluster, manifests: str, *, dry_run: bool = False) -> Command:
    """Applies manifests; prints the objects, as they are then, as JSON. Not all or nothing: if one
    is refused, the others are applied all the same."""
    words = (*apply_words(dry_run=dry_run), "-f", "-", "-o", "json")
    return fed(manifests, kubectl(cluster, *words, seconds=_ADMISSION))


def differences(
    there: Sequence[Mapping[str, Any]],
    wanted: Sequence[Mapping[str, Any]],
    stamps: Sequence[str] = (),
) -> list[Difference]:
    """`there`: the objects in the cluster; `wanted`: those that a dry run would make of them, or
    leaves out if they are to be removed; `stamps`: prefixes of labels and annotations that others
    put on them."""
    old = {_id(one): cleaned(one, stamps) for one in there}
    new = {_id(one): cleaned(one, stamps) for one in wanted}
    found: list[Difference] = []
    for key in dict.fromkeys((*old, *new)):
        before, after = old.get(key), new.get(key)
        if before is None:
            found.append(Difference(*key, new="new"))
        elif after is None:
            found.append(Difference(*key, old="removed"))
        else:
            masked = key[0] == "Secret"
            for where, was, is_ in _compare(before, after, ""):
                hidden = masked or _VALUE.search(where) is not None
                found.append(Difference(*key, where, _shown(was, hidden), _shown(is_, hidden)))
    return found


def _id(one: Mapping[str, Any]) -> tuple[str, str]:
    return text(one, "kind"), named(one)


def cleaned(one: Mapping[str, Any], stamps: Sequence[str] = ()) -> dict[str, Any]:
    """An object without what its owner does not write."""
    found = {key: value for key, value in one.items() if key not in ("status", "metadata")}
    found["metadata"] = _metadata(mapping(one, "metadata"), stamps)
    template = mapping(one, "spec", "template")
    if template:
        metadata = _metadata(mapping(template, "metadata"), stamps)
        found["spec"] = {**found["spec"], "template": {**template, "metadata": metadata}}
    return found


def _metadata(written: Mapping[str, Any], stamps: Sequence[str]) -> dict[str, Any]:
    found = {key: value for key, value in written.items() if key not in _SERVERS}
    for word in ("labels", "annotations"):
        ours = {
            key: value
            for key, value in mapping(found, word).items()
            if not key.startswith((*_STAMPS, *stamps))
        }
        found.pop(word, None)
        found |= {word: ours} if ours else {}
    return found


def _compare(old: Any, new: Any, where: str) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(old, dict) and isinstance(new, dict):
        for key in dict.fromkeys((*old, *new)):
            place = f"{where}.{key}" if where else str(key)
            yield from _compare(old.get(key, _NOTHING), new.get(key, _NOTHING), place)
    elif isinstance(old, list) and isinstance(new, list):
        before, after = _keyed(old), _keyed(new)
        for key in dict.fromkeys((*before, *after)):
            place = f"{where}[{key}]"
            yield from _compare(before.get(key, _NOTHING), after.get(key, _NOTHING), place)
    elif old != new:
        yield where, old, new


def _keyed(values: list[Any]) -> dict[str, Any]:
    for key in _KEYS:
        names = [str(one.get(key, "")) for one in values if isinstance(one, dict)]
        if names and all(names) and len({*names}) == len(values):
            return dict(zip(names, values, strict=True))
    return {str(number): one for number, one in enumerate(values)}


def _shown(value: Any, masked: bool) -> str | None:
    if value is _NOTHING:
        return None
    return MASK if masked else str(_without_values(value))


def _without_values(value: Any) -> Any:
    """The same without values of variables, which may be passwords."""
    if isinstance(value, list):
        return [_without_values(one) for one in value]
    if not isinstance(value, dict):
        return value
    if isinstance(value.get("value"), str) and "name" in value:
        return {**value, "value": MASK}
    return {key: _without_values(one) for key, one in value.items()}


def in_files(
    found: Sequence[Difference],
    there: Sequence[Mapping[str, Any]],
    listed: Sequence[Mapping[str, Any]],
    would: Sequence[Mapping[str, Any]],
) -> list[Difference]:
    """The differences, with the changed lines of files in place of new ConfigMaps: those of mounted
    files are named by their content, so that a changed file is another object. `there`: the
    objects that would be changed, as they are; `listed`: all of the stack's; `would`: as they would
    be."""
    mounted = {name for one in there for name in _mounted(one)}
    before = {_service(one): one for one in _config_maps(listed) if named(one) in mounted}
    made = {named(one): one for one in _config_maps(would)}
    result: list[Difference] = []
    for one in found:
        new = made.get(one.name) if one.kind == "ConfigMap" and one.old is None else None
        old = before.get(_service(new)) if new else None
        result += _files(old, new) if old and new else [one]
    return result


def _config_maps(objects: Sequence[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    return (one for one in objects if text(one, "kind") == "ConfigMap")


def _service(one: Mapping[str, Any]) -> str:
    return text(one, "metadata", "labels", labels.NAME)


def _mounted(one: Mapping[str, Any]) -> Iterator[str]:
    """The names of the ConfigMaps that a Deployment mounts."""
    volumes = mapping(one, "spec", "template", "spec").get("volumes")
    for volume in volumes if isinstance(volumes, list) else ():
        if isinstance(volume, Mapping):
            yield text(volume, "configMap", "name")


def _files(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Difference]:
    name = named(new)
    before, after = mapping(old, "data"), mapping(new, "data")
    for key in sorted({*before, *after}):
        yield from _lines(name, key, str(before.get(key, "")), str(after.get(key, "")))
    before, after = mapping(old, "binaryData"), mapping(new, "binaryData")
    for key in sorted({*before, *after}):
        if before.get(key) != after.get(key):
            yield Difference("ConfigMap", name, key, new="other bytes")


def _lines(name: str, key: str, before: str, after: str) -> Iterator[Difference]:
    old, new = split_lines(before), split_lines(after)
    for first, last, begin, end in _places(old, new):
        where = f"{key}, line {begin + 1}"
        removed, added = _some(old[first:last]), _some(new[begin:end])
        yield Difference("ConfigMap", name, where, removed, added)


def _places(old: Sequence[str], new: Sequence[str]) -> Iterator[tuple[int, int, int, int]]:
    """Where lines differ: from and to in the old ones, and in the new ones."""
    same = _equal(old, new)
    end = _equal(old[same:][::-1], new[same:][::-1])
    first, second = old[same : len(old) - end], new[same : len(new) - end]
    if max(len(first), len(second)) > _LINES_MATCHED:
        yield same, len(old) - end, same, len(new) - end
        return
    matcher = difflib.SequenceMatcher(None, first, second, autojunk=False)
    for kind, *found in matcher.get_opcodes():
        if kind != "equal":
            one, two, three, four = (number + same for number in found)
            yield one, two, three, four


def _equal(old: Sequence[str], new: Sequence[str]) -> int:
    """How many lines at the beginning are the same."""
    pairs = enumerate(zip(old, new, strict=False))
    return next((at for at, (one, other) in pairs if one != other), min(len(old), len(new)))


def _some(lines: Sequence[str]) -> str | None:
    if not lines:
        return None
    more = [f"… {len(lines) - _LINES_SHOWN} more lines"] if len(lines) > _LINES_SHOWN else []
    return "\n".join([*lines[:_LINES_SHOWN], *more])
