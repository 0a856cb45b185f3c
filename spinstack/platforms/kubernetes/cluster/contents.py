"""What changes in the files that a service mounts. Their ConfigMaps are named by their content, so
that a changed file is another object: it is compared with the one that is mounted now. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from spinstack.platforms.kubernetes import labels
from spinstack.platforms.kubernetes.cluster.differences import Difference
from spinstack.platforms.kubernetes.cluster.tree import mapping, named, text
from spinstack.text import split_lines

# Of each place that changed, so many lines are shown.
_SHOWN = 20
Object = Mapping[str, Any]


def told(
    found: Sequence[Difference],
    there: Sequence[Object],
    listed: Sequence[Object],
    would: Sequence[Object],
) -> list[Difference]:
    """The differences, with the changed lines of files in place of new ConfigMaps. `there`: the
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


def _config_maps(objects: Sequence[Object]) -> Iterator[Object]:
    return (one for one in objects if text(one, "kind") == "ConfigMap")


def _service(one: Object) -> str:
    return text(one, "metadata", "labels", labels.NAME)


def _mounted(one: Object) -> Iterator[str]:
    """The names of the ConfigMaps that a Deployment mounts."""
    volumes = mapping(one, "spec", "template", "spec").get("volumes")
    for volume in volumes if isinstance(volumes, list) else ():
        if isinstance(volume, Mapping):
            yield text(volume, "configMap", "name")


def _files(old: Object, new: Object) -> Iterator[Difference]:
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
    matcher = difflib.SequenceMatcher(None, old, new, autojunk=False)
    for kind, first, last, begin, end in matcher.get_opcodes():
        if kind != "equal":
            where = f"{key}, line {begin + 1}"
            removed, added = _shown(old[first:last]), _shown(new[begin:end])
            yield Difference("ConfigMap", name, where, removed, added)


def _shown(lines: Sequence[str]) -> str | None:
    if not lines:
        return None
    more = [f"… {len(lines) - _SHOWN} more lines"] if len(lines) > _SHOWN else []
    return "\n".join([*lines[:_SHOWN], *more])
