"""Spin's rules as policies of a cluster, made from the data that `invoke check` goes by.

Each policy has the name of the rule that `check` applies, and says the same remedy. Pure.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from spinstack.rules import isolation, names, service_rules
from spinstack.rules.centre import Centre, FieldRule

GROUP = "admissionregistration.k8s.io"

# What makes pods, and pods, to which `kubectl debug` adds containers.
_PODS = (
    ("", ("pods", "pods/ephemeralcontainers")),
    ("apps", ("deployments", "replicasets", "statefulsets", "daemonsets")),
    ("batch", ("jobs", "cronjobs")),
)
_KINDS = {"Pod": _PODS, "Service": (("", ("services",)),)}

# In CEL: the pod, its containers, and those of them that mount a directory of the node.
_POD = (
    'object.kind == "Pod" ? object.spec : object.kind == "CronJob" ? '
    "object.spec.jobTemplate.spec.template.spec : object.spec.template.spec"
)
_MOUNTS = "c.?volumeMounts.orValue([]).exists(m, m.name in variables.hosted)"
_VARIABLES = {
    "pod": _POD,
    "containers": " + ".join(
        f"variables.pod.?{key}.orValue([])" for key in isolation.KINDS_OF_CONTAINERS
    ),
    "hosted": "variables.pod.?volumes.orValue([]).filter(v, has(v.hostPath)).map(v, v.name)",
    "mounting": f"variables.containers.filter(c, {_MOUNTS})",
    "others": f"variables.containers.filter(c, !{_MOUNTS})",
}
_ALL, _MOUNTING, _OTHERS = "variables.containers", "variables.mounting", "variables.others"
_CAPABILITIES = "c.?securityContext.?capabilities"


@dataclass(frozen=True)
class Validation:
    """`holds`: an expression in CEL that is true for what is let through; `message`: an expression
    for what is said otherwise."""

    holds: str
    message: str


@dataclass(frozen=True)
class Policy:
    """The validations of one rule for one kind of object. `rule`: as `check` names it."""

    rule: str
    kind: str
    validations: tuple[Validation, ...]

    @property
    def name(self) -> str:
        """The name of its objects, but for what tells rehearsals apart."""
        return self.rule if self.kind == "Pod" else f"{self.rule}-{self.kind.lower()}"


def policies(centre: Centre) -> list[Policy]:
    """Every policy that the centre's data give reason for."""
    found = [
        Policy("user-numeric", "Pod", tuple(_user(centre))),
        Policy("numeric-id", "Pod", tuple(_ids(centre))),
        Policy("cap-drop", "Pod", tuple(_dropped(centre))),
        Policy("cap-add", "Pod", tuple(_added(centre))),
        Policy("path-mountable", "Pod", tuple(_paths(centre))),
    ]
    for kind in _KINDS:
        rules = [rule for rule in centre.kubernetes.isolation if rule.kind == kind]
        found.append(Policy("kubernetes-isolation", kind, tuple(map(_field, rules))))
    return [policy for policy in found if policy.validations]


def objects(centre: Centre, prefix: str, labels: dict[str, str]) -> list[dict[str, Any]]:
    """The policies, and their bindings to namespaces with these labels, which all of them have
    themselves; `prefix`: stands before their names."""
    found: list[dict[str, Any]] = []
    for policy in policies(centre):
        metadata = {"name": f"{prefix}-{policy.name}", "labels": labels}
        found.append(_object("ValidatingAdmissionPolicy", metadata, _spec(policy)))
        binding = {
            "policyName": metadata["name"],
            "validationActions": ["Deny"],
            "matchResources": {"namespaceSelector": {"matchLabels": labels}},
        }
        found.append(_object("ValidatingAdmissionPolicyBinding", metadata, binding))
    return found


def _object(kind: str, metadata: dict[str, Any], spec: dict[str, Any]) -> dict[str, Any]:
    return {"apiVersion": f"{GROUP}/v1", "kind": kind, "metadata": metadata, "spec": spec}


def _spec(policy: Policy) -> dict[str, Any]:
    spec = {
        "failurePolicy": "Fail",
        "matchConstraints": {"resourceRules": resource_rules(_KINDS[policy.kind])},
        "validations": [
            {"expression": it.holds, "messageExpression": it.message, "reason": "Forbidden"}
            for it in policy.validations
        ],
    }
    if policy.kind == "Pod":
        spec["variables"] = [{"name": key, "expression": it} for key, it in _VARIABLES.items()]
    return spec


def resource_rules(kinds: Sequence[tuple[str, Sequence[str]]]) -> list[dict[str, Any]]:
    """What is looked at, by API group."""
    return [
        {
            "apiGroups": [group],
            "apiVersions": ["v1"],
            "operations": ["CREATE", "UPDATE"],
            "resources": list(resources),
        }
        for group, resources in kinds
    ]


def _user(centre: Centre) -> Iterator[Validation]:
    if centre.global_file_system:
        problem = "mounts a directory of the node without a user"
        holds = f"{_id('runAsUser')} >= 0"
        yield _each(_MOUNTING, holds, problem, service_rules.OWN_USER, "user-numeric")


def _ids(centre: Centre) -> Iterator[Validation]:
    """Not root: of those that mount, or of all. A user or group that is not set is the image's."""
    who = _MOUNTING if centre.root_allowed else _ALL
    if centre.root_allowed and not centre.global_file_system:
        return
    for field, what in (("runAsUser", "user"), ("runAsGroup", "group")):
        problem = f"runs as the {what} root"
        yield _each(who, f"{_id(field)} != 0", problem, names.NOT_ROOT, "numeric-id")
    groups = "variables.pod.?securityContext.?supplementalGroups.orValue([])"
    holds = f"!(0 in {groups})"
    yield _each(who, holds, "has the further group root", names.NOT_ROOT, "numeric-id")


def _id(field: str) -> str:
    """The container's, or else the pod's; below zero without one."""
    pod = f"variables.pod.?securityContext.?{field}"
    return f"c.?securityContext.?{field}.or({pod}).orValue(-1)"


def _dropped(centre: Centre) -> Iterator[Validation]:
    always = centre.capabilities_always_dropped
    if always or centre.global_file_system:
        holds = f'"ALL" in {_CAPABILITIES}.?drop.orValue([])'
        problem = "keeps the capabilities of its image"
        who = _ALL if always else _MOUNTING
        yield _each(who, holds, problem, service_rules.DROP_ALL, "cap-drop")


def _added(centre: Centre) -> Iterator[Validation]:
    for who, mounting in ((_MOUNTING, centre.global_file_system), (_OTHERS, False)):
        allowed = service_rules.allowed_capabilities(centre, global_mount=mounting)
        holds = f"{_CAPABILITIES}.?add.orValue([]).all(it, it in {json.dumps(allowed)})"
        problem = "adds a capability that it may not have"
        if mounting:
            problem += " beside a directory of the node"
        yield _each(who, holds, problem, service_rules.among(allowed), "cap-add")


def _paths(centre: Centre) -> Iterator[Validation]:
    roots = [path.rstrip("/") for path in centre.mountable]
    if "" in roots:
        return
    path = "v.hostPath.path"
    below = " || ".join(
        f"{path} == {json.dumps(root)} || {path}.startsWith({json.dumps(root + '/')})"
        for root in roots
    )
    mounted = "variables.pod.?volumes.orValue([]).filter(v, has(v.hostPath))"
    bad = f"{mounted}.filter(v, !({below}))"
    said = _said(names.instead_of_path(centre), "path-mountable")
    shown = f'{bad}.map(v, {path}).join(", ")'
    yield Validation(f"size({bad}) == 0", f'"Spin can\'t mount " + {shown} + {said}')


def _field(rule: FieldRule) -> Validation:
    start = "variables.pod" if rule.kind == "Pod" else "object.spec"
    problem = f"{rule.field} has a value that it may not have"
    if rule.allowed:
        problem = f"{rule.field} must be {' or '.join(_cel(it) for it in rule.allowed)}"
    message = json.dumps(problem) + " + " + _said(rule.remedy, "kubernetes-isolation")
    return Validation(_within(start, rule.field.split("."), rule), message)


def _within(at: str, path: list[str], rule: FieldRule, depth: int = 0) -> str:
    """Whether all values to which a path leads from here are allowed."""
    index = next((number for number, it in enumerate(path) if it.endswith("[]")), None)
    if index is None:
        return _is_allowed(at, path, rule)
    item = "cdefg"[depth]
    key = path[index].removesuffix("[]")
    items = _ALL
    if path[index] != isolation.CONTAINERS:
        items = f"{at}{_optional([*path[:index], key])}.orValue([])"
    return f"{items}.all({item}, {_within(item, path[index + 1 :], rule, depth + 1)})"


def _is_allowed(at: str, path: list[str], rule: FieldRule) -> str:
    found, holder = f"{at}{_optional(path)}", f"{at}{_optional(path[:-1])}"
    if not rule.allowed:
        return f"!{found}.hasValue()"
    value = f"{found}.value() in [{', '.join(_cel(it) for it in rule.allowed)}]"
    if not rule.stated:
        return f"!{found}.hasValue() || {value}"
    held = f"{found}.hasValue() && {value}"
    return f"!{holder}.hasValue() || {held}" if path[:-1] else held


def _optional(path: Sequence[str]) -> str:
    return "".join(f".?{it}" for it in path)


def _cel(value: bool | int | str) -> str:
    return json.dumps(value)


def _each(who: str, holds: str, problem: str, remedy: str, rule: str) -> Validation:
    """Something that holds for each of some containers, `c`; those for which it does not are
    named."""
    named = f'{who}.filter(c, !({holds})).map(c, c.name).join(", ")'
    said = f'"container " + {named} + {json.dumps(f" {problem}")} + {_said(remedy, rule)}'
    return Validation(f"{who}.all(c, {holds})", said)


def _said(remedy: str, rule: str) -> str:
    """The end of a message, as `check` writes it."""
    return json.dumps(f" ({remedy}) [{rule}]")
