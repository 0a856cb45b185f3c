"""Whether the namespace's quota has room for what a change needs at its peak."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from spinstack.platforms.base import Garbled
from spinstack.platforms.kubernetes.cluster import apply, quota
from spinstack.transport.script import Script

if TYPE_CHECKING:
    from spinstack.remote.cluster.stack import ClusterStack


def shortages(stack: ClusterStack, text: str, before: str) -> list[str]:
    """What is missing, in words. `text`: the manifests of the change; `before`: of what runs. An
    account that may not see quotas is told nothing: the server will say it."""
    pods = list(_more_pods(text, before))
    if not pods:
        return []
    step = quota.quota_step(stack.cluster)
    told = stack.node.run(Script((stack.ready, step))).steps[-1]
    if not told.ok:
        return []
    try:
        room = quota.parse(told.output)
    except Garbled:
        return []
    return [str(one) for one in quota.shortages(room, pods)]


def _more_pods(text: str, before: str) -> list[dict[str, Any]]:
    """The specs of the pods that run beside those of before: one of each Deployment that changes
    (all of one that is new)."""
    old = dict(_deployments(before))
    found: list[dict[str, Any]] = []
    for name, spec in _deployments(text):
        template = spec.get("template") or {}
        pod = template.get("spec") or {}
        if name not in old:
            found += [pod] * int(spec.get("replicas", 1))
        elif template != old[name].get("template") and _surges(spec):
            found.append(pod)
    return found


def _surges(spec: dict[str, Any]) -> bool:
    return (spec.get("strategy") or {}).get("type") != "Recreate"


def _deployments(text: str) -> list[tuple[str, dict[str, Any]]]:
    return [
        (str(one["metadata"]["name"]), one["spec"])
        for one in apply.objects(text)
        if one.get("kind") == "Deployment"
    ]
