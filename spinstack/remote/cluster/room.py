"""What a change applies; and whether the namespace's quota has room for it at its peak.

What is replaced runs on until its successor is well, so both need room at once. Where there is
none, the old containers are stopped first, if somebody agrees, and the site is away meanwhile.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from spinstack.platforms.base import Garbled
from spinstack.platforms.kubernetes.cluster import apply, gap, quota
from spinstack.platforms.kubernetes.cluster.gap import Gap
from spinstack.platforms.kubernetes.cluster.tree import child, mapping, named, number, text
from spinstack.transport.script import Script, Step, StepResult

if TYPE_CHECKING:
    from spinstack.remote.cluster.stack import ClusterStack

_Deployments = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Manifests:
    """`wanted`: of the change; `before`: of the release that runs, empty if there is none to go
    back to; `stopped`: the Deployments whose old containers are stopped before the new ones start.
    """

    wanted: str
    before: str = ""
    stopped: tuple[str, ...] = ()

    def scaled(self, counts: Mapping[str, int]) -> Manifests:
        """The same with so many containers in these Deployments."""
        wanted, before = scaled(self.wanted, counts), scaled(self.before, counts)
        return replace(self, wanted=wanted, before=before)

    @property
    def first(self) -> str:
        """What is applied at first; `wanted` after it makes no new containers."""
        return recreating(self.wanted, self.stopped)

    @property
    def back(self) -> str:
        """What brings back what ran before, with `before` after it."""
        return recreating(self.before, self.stopped)


def recreating(manifests: str, names: Sequence[str]) -> str:
    """Manifests with Deployments that stop all old containers before they start new ones."""
    return _with_spec(manifests, {name: {"strategy": {"type": "Recreate"}} for name in names})


def scaled(manifests: str, counts: Mapping[str, int]) -> str:
    """Manifests with so many containers in these Deployments."""
    return _with_spec(manifests, {name: {"replicas": count} for name, count in counts.items()})


def _with_spec(manifests: str, specs: Mapping[str, Mapping[str, Any]]) -> str:
    """With other fields in the specs of Deployments, by name."""
    if not specs:
        return manifests
    made = []
    for one in apply.objects(manifests):
        if text(one, "kind") == "Deployment" and named(one) in specs:
            one = {**one, "spec": {**one["spec"], **specs[named(one)]}}
        made.append(one)
    return _written(made)


def pinned(manifests: str, images: Iterable[str]) -> str:
    """Manifests whose images have their digests, where those are known: a tag may be moved. A file
    of the stack that names an image is left as it is."""
    exact = {image.partition("@")[0]: image for image in images if "@" in image}
    objects = deepcopy(apply.objects(manifests))
    found = [container for one in objects for container in apply.containers(one)]
    tagged = [container for container in found if text(container, "image") in exact]
    for container in tagged:
        container["image"] = exact[container["image"]]
    return _written(objects) if tagged else manifests


def _written(objects: Iterable[Mapping[str, Any]]) -> str:
    """As YAML, with JSON in it. It begins as YAML: what begins with JSON is nothing else to kubectl
    before 1.33."""
    return "".join(f"---\n{json.dumps(one)}\n" for one in objects)


@dataclass(frozen=True)
class Tight:
    """The quota has too little room. `missing`: of what, in words, with new containers beside old
    ones; `still`: the same once the old ones of `stopped` are away, which takes `gap`."""

    missing: Sequence[str]
    still: Sequence[str]
    stopped: tuple[str, ...]
    gap: Gap


def matters(manifests: Manifests) -> bool:
    """Whether the change makes new containers, which need room."""
    return bool(_changed(manifests)[0])


def step(stack: ClusterStack) -> Step:
    """Asks how much room there is, beside the step after it."""
    return replace(quota.quota_step(stack.cluster), beside=True)


def look(stack: ClusterStack, manifests: Manifests, told: StepResult | None) -> Tight | None:
    """None if there is room for the change. `told`: what that step printed, None if it was not
    asked. An account that may not see quotas is told nothing: the server will say it."""
    changed, new, old = _changed(manifests)
    more = [pod for name in changed for pod in _pods_beside(new[name], old.get(name))]
    if not more or told is None:
        return None
    try:
        room = quota.parse(told.output) if told.ok else quota.Room()
    except Garbled:
        return None
    missing = quota.shortages(room, more)
    if not missing:
        return None
    stopped = tuple(name for name in changed if name in old)
    coming = [pod for name in changed for pod in _pods(new[name])]
    going = [pod for name in stopped for pod in _pods(old[name])]
    still = quota.shortages(room, coming, going)
    pods = gap.pods_step(stack.cluster, stack.stack)
    started = gap.starts(stack.node.run(Script((stack.ready, pods))).output(pods.name))
    replaced = [new[name] for name in stopped]
    lasting = gap.gap(replaced, started, stack.destination.healthy_within)
    return Tight([*map(str, missing)], [*map(str, still)], stopped, lasting)


def _changed(manifests: Manifests) -> tuple[list[str], _Deployments, _Deployments]:
    """The Deployments that make new containers; all of them, as they will be and as they are."""
    new, old = _deployments(manifests.wanted), _deployments(manifests.before)
    changed = [name for name in new if _template(new[name]) != _template(old.get(name, {}))]
    return changed, new, old


def _pods_beside(
    new: Mapping[str, Any], old: Mapping[str, Any] | None
) -> Iterator[Mapping[str, Any]]:
    """The pods that run beside those of before: one of a Deployment that changes, all of a new
    one."""
    if old is None:
        yield from _pods(new)
    elif child(new, "spec", "strategy", "type") != "Recreate":
        yield mapping(_template(new), "spec")


def _pods(deployment: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The specs of all its pods."""
    return [mapping(_template(deployment), "spec")] * number(
        deployment, "spec", "replicas", otherwise=1
    )


def _template(deployment: Mapping[str, Any]) -> dict[str, Any]:
    return mapping(deployment, "spec", "template")


def _deployments(manifests: str) -> _Deployments:
    found = (one for one in apply.objects(manifests) if text(one, "kind") == "Deployment")
    return {named(one): one for one in found}
