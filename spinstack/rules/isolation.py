"""What fields of objects in a cluster may be, so that no container leaves its isolation.

Looks at what stands in an object, which may be a patch that says little of it. The rehearsal's
policies are made from the same rules, and look at whole objects. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from spinstack.rules.centre import Centre, FieldRule
from spinstack.rules.finding import Finding

# Where objects that make pods have them.
_TEMPLATE = ("template", "spec")
_POD_OF = {
    "Pod": (),
    **dict.fromkeys(("Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "Job"), _TEMPLATE),
    "CronJob": ("jobTemplate", "spec", *_TEMPLATE),
}
CONTAINERS = "containers[]"
KINDS_OF_CONTAINERS = ("containers", "initContainers", "ephemeralContainers")


def findings(it: Mapping[str, Any], centre: Centre, where: str) -> Iterator[Finding]:
    """The fields of an object that have a value which they may not have."""
    for rule in centre.kubernetes.isolation:
        for value in _values(_spec(it, rule.kind), rule.field.split(".")):
            if value is not None and not _is_allowed(value, rule):
                problem = f"{rule.name} may not be {_shown(value)}"
                yield Finding("kubernetes-isolation", where, problem, rule.remedy)


def _spec(it: Mapping[str, Any], kind: str) -> Any:
    """The part of an object that the rules of a kind are about; None if it has none."""
    found = it.get("kind")
    if kind != "Pod":
        return it.get("spec") if found == kind else None
    if found not in _POD_OF:
        return None
    return next(_values(it, ["spec", *_POD_OF[found]]), None)


def _values(value: Any, names: list[str]) -> Iterator[Any]:
    """What stands where the names lead to."""
    if not names:
        yield value
        return
    if not isinstance(value, Mapping):
        return
    first, *rest = names
    if not first.endswith("[]"):
        yield from _values(value.get(first), rest)
        return
    keys = KINDS_OF_CONTAINERS if first == CONTAINERS else (first[:-2],)
    for items in (value.get(key) for key in keys):
        for item in items if isinstance(items, list) else ():
            yield from _values(item, rest)


def _is_allowed(value: Any, rule: FieldRule) -> bool:
    """`False == 0` in Python, but not in a manifest."""
    return any(value == one and type(value) is type(one) for one in rule.allowed)


def _shown(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else repr(value)
