"""Whose the objects in a namespace are that a stack's objects would be, and who else has changed
their fields. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from spinstack.config.schema import DEFAULT_KUBECONFIG
from spinstack.platforms.kubernetes import labels
from spinstack.platforms.kubernetes.cluster import apply
from spinstack.platforms.kubernetes.cluster.tree import (
    child,
    items,
    label,
    mapping,
    named,
    number,
    text,
)
from spinstack.platforms.kubernetes.kubectl import (
    FIELD_MANAGER,
    PROGRAM,
    as_text,
    fed,
    home,
    kubectl,
)
from spinstack.text import split_lines
from spinstack.transport.command import Command, Raw
from spinstack.transport.script import Step

if TYPE_CHECKING:
    from spinstack.config.kubernetes import Cluster

# Seconds for a request that goes through webhooks.
_ADMISSION = 30
# Source: kubernetes.io, "Managing Service Accounts", "root CA certificate publisher".
_OF_EACH_NAMESPACE = (("ServiceAccount", "default"), ("ConfigMap", "kube-root-ca.crt"))
# What Rancher's page writes on objects.
# Source: Spin's own manifests; rancher/rancher, pkg/controllers.
_RANCHER = ("workload.user.cattle.io/", "field.cattle.io/", "cattle.io/")
# The manager of a conflict, with what it used and when, and its fields.
# Source: Kubernetes 1.37, apimachinery, pkg/util/managedfields/internal/conflict.go.
_MANAGER = (
    r'"(?P<who>(?:[^"\\]|\\.)*)"(?: with subresource "[^"]*")?(?: using [^\s:]+)?(?: at \S+?)?:'
)
_ONE = re.compile(rf"conflict with {_MANAGER} (?P<field>\..+)")
_SEVERAL = re.compile(rf"conflicts with {_MANAGER}\s*$")
_FIELD = re.compile(r"- (?P<field>\..+)")


def there_step(cluster: Cluster, manifests: str) -> Step:
    """Prints those of the objects that are there, with who has changed what, as JSON."""
    words = ("get", "-f", "-", "-o", "json", "--ignore-not-found", "--show-managed-fields")
    call = fed(manifests, kubectl(cluster, *words))
    return Step("what is there", (call,), must=False)


# --- Objects that are not the stack's ---------------------------------------------------------


@dataclass(frozen=True)
class InTheWay:
    """An object that is somebody else's, and has the name of one of the stack's. `stack`: whose it
    is, empty for none of ours; `whose`: the same in words; `added_to`: the stack that has it in its
    own additions, without saying there that it is the stack's."""

    kind: str
    group: str
    name: str
    whose: str
    stack: str = ""
    added_to: str = ""

    @property
    def told(self) -> str:
        return f"{self.kind} {self.name} {self.whose}"

    def remedy(self, cluster: Cluster) -> str:
        """What to do about it, so that nothing is lost."""
        what = f"{self.kind}.{self.group}".lower() if self.group else self.kind.lower()
        if self.added_to:
            marks = (f"{labels.PART_OF}={self.added_to}", labels.of_ours())
            mine = by_hand(cluster, "label", what, self.name, *marks)
            return (
                f"give it another name in kubernetes/; or, if it is this stack's, label it "
                f"(`{mine}`; `invoke rm` then removes it, too)"
            )
        if self.stack:
            return (
                f"rename the service in one of the two stacks, or use a namespace for each "
                f"(`invoke rm` there removes the stack {self.stack})"
            )
        if self.kind == "PersistentVolumeClaim":
            return (
                f"to use the data in it, write `external: true` below {self.name}: under volumes:"
            )
        copy = f"{self.name}-{self.kind}.yaml".lower()
        keep = by_hand(cluster, "get", what, self.name, "-o", "yaml", Raw(">"), copy)
        remove = by_hand(cluster, "delete", what, self.name)
        return (
            f"to take it over: keep a copy (`{keep}`), remove it (`{remove}`) and deploy at once; "
            f"the copy brings it back (kubectl create -f)"
        )


def in_the_way(
    there: Sequence[Mapping[str, Any]], wanted: Sequence[Mapping[str, Any]]
) -> list[InTheWay]:
    """Of the objects that are there, those that are not of the stack that the wanted ones are of:
    Kubernetes would mix both. A person's own additions may have no labels: then it counts who has
    applied what is there."""
    marks = {apply.named(one): _marks(one) for one in wanted}
    stack = next((told for told in marks.values() if told[0]), ("", ""))
    found = []
    for one in there:
        wants = marks.get(apply.named(one))
        if wants is None:
            continue
        if wants[0]:
            found += [_in_the_way(one)] if wants != _marks(one) else []
        elif _marks(one) != stack and not _is_shared(one) and not _is_applied_by_us(one):
            found.append(replace(_in_the_way(one), added_to=stack[0]))
    return found


def _is_shared(one: Mapping[str, Any]) -> bool:
    """Whether Kubernetes itself makes it in each namespace: additions may change it."""
    return (text(one, "kind"), named(one)) in _OF_EACH_NAMESPACE


def _is_applied_by_us(one: Mapping[str, Any]) -> bool:
    """Whether a deploy has brought it, and no other stack claims it."""
    other = _marks(one)[1] == labels.MANAGER and _marks(one)[0]
    entries = (entry for entry in _managers(one) if not _is_other(entry))
    return not other and any(text(entry, "operation") == "Apply" for entry in entries)


def _marks(one: Mapping[str, Any]) -> tuple[str, str]:
    """By which it is of a stack."""
    return label(one, labels.PART_OF), label(one, labels.MANAGED_BY)


def _in_the_way(one: Mapping[str, Any]) -> InTheWay:
    found = apply.named(one)
    stack, manager = _marks(one)
    if manager == labels.MANAGER and stack:
        whose = f"belongs to the stack {stack}"
        return InTheWay(found.kind, found.group, found.name, whose, stack)
    return InTheWay(found.kind, found.group, found.name, _whose(one, manager))


def _whose(one: Mapping[str, Any], manager: str) -> str:
    """Who made it, as far as it tells."""
    last = max(_managers(one), key=lambda entry: text(entry, "time"), default={})
    by = text(last, "manager")
    when = text(last, "time")[:10]
    seen = f" (last changed with {by}{f' on {when}' if when else ''})" if by else ""
    if manager == labels.MANAGER:
        return f"is of no stack{seen}"
    if manager:
        return f"is managed by {manager}{seen}"
    if _of_rancher(one):
        return f"was made in Rancher's page{seen}"
    return f"was made by hand{seen}"


def _of_rancher(one: Mapping[str, Any]) -> bool:
    places = (("metadata", "labels"), ("metadata", "annotations"), ("spec", "selector"))
    keys = [key for place in places for key in mapping(one, *place)]
    keys += mapping(one, "spec", "selector", "matchLabels")
    return any(key.startswith(_RANCHER) for key in keys)


def by_hand(cluster: Cluster, *words: str | Raw) -> str:
    """A call of kubectl as a person types it."""
    where = ["--context", cluster.context, "--namespace", cluster.namespace]
    if cluster.kubeconfig != DEFAULT_KUBECONFIG:
        return Command(PROGRAM, "--kubeconfig", home(cluster.kubeconfig), *where, *words).script()
    return Command(PROGRAM, *where, *words).script()


# --- Fields that others have changed ----------------------------------------------------------


@dataclass(frozen=True)
class Conflict:
    """A field that the stack sets and that somebody else has changed since. `manager`: the
    program; `when`: the day, empty if it is not known."""

    kind: str
    name: str
    field: str
    manager: str
    when: str = ""

    @property
    def told(self) -> str:
        when = f" on {self.when}" if self.when else ""
        return f"{self.kind} {self.name}: {self.field} was changed with {self.manager}{when}"


def shared(there: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The objects of which others have changed more than labels and annotations."""
    return [
        one for one in there if any(_changes(entry) for entry in _managers(one) if _is_other(entry))
    ]


def _managers(one: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What the server notes about who has changed it; without what reports its status."""
    return [
        entry
        for entry in items(one, "metadata", "managedFields")
        if text(entry, "subresource") != "status"
    ]


def _is_other(entry: Mapping[str, Any]) -> bool:
    return text(entry, "manager") != FIELD_MANAGER


def _changes(entry: Mapping[str, Any]) -> bool:
    return any(key not in ("f:metadata", "f:status") for key in mapping(entry, "fieldsV1"))


def scaled(there: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """How many containers `scale` has given to services that run, by Deployment."""
    return {
        named(one): number(one, "spec", "replicas")
        for one in there
        if text(one, "kind") == "Deployment" and number(one, "spec", "replicas") > 0
        if any(_scales(entry) for entry in _managers(one))
    }


def _scales(entry: Mapping[str, Any]) -> bool:
    ours = not _is_other(entry) and text(entry, "operation") == "Update"
    return ours and child(entry, "fieldsV1", "f:spec", "f:replicas") is not None


def conflict_steps(cluster: Cluster, objects: Sequence[Mapping[str, Any]]) -> list[Step]:
    """One for each object: has the server say, in a dry run, which fields are somebody else's. By
    itself: of several it does not say which one it means."""
    words = ("apply", "--server-side", f"--field-manager={FIELD_MANAGER}", "--dry-run=server")
    return [
        Step(
            f"fields of {text(one, 'kind')} {named(one)}",
            (fed(as_text([one]), kubectl(cluster, *words, "-f", "-", seconds=_ADMISSION)),),
            must=False,
        )
        for one in objects
    ]


def conflicts(there: Mapping[str, Any], output: str) -> list[Conflict]:
    """From what such a step printed for an object. What we have changed otherwise than by an apply
    (`scale`, `stop`) is no conflict."""
    days = {text(one, "manager"): text(one, "time")[:10] for one in _managers(there)}
    return [
        Conflict(text(there, "kind"), named(there), field, manager, days.get(manager, ""))
        for manager, field in _conflicts(output)
        if manager != FIELD_MANAGER
    ]


def tells_conflicts(output: str) -> bool:
    """Whether it is for fields of others, and nothing else, that such a step failed."""
    return any(True for _ in _conflicts(output))


def _conflicts(output: str) -> Iterator[tuple[str, str]]:
    manager = ""
    for line in split_lines(output):
        if match := _ONE.search(line):
            yield match["who"], match["field"].strip()
        elif match := _SEVERAL.search(line):
            manager = match["who"]
        elif manager and (match := _FIELD.match(line)):
            yield manager, match["field"].strip()
        else:
            manager = ""
