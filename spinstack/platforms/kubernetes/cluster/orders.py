"""Orders to the services of a stack: stop, start, restart, scale, remove."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from spinstack.platforms.base import STOP_SECONDS
from spinstack.platforms.kubernetes import labels
from spinstack.platforms.kubernetes.kubectl import FIELD_MANAGER, kubectl, merge
from spinstack.transport.command import Command, Raw
from spinstack.transport.script import Step

if TYPE_CHECKING:
    from spinstack.config.kubernetes import Cluster

# A Deployment in a line: its name, how many replicas it has, how many it had.
_COUNTS = (
    'jsonpath={range .items[*]}{.metadata.name}{"\\t"}{.spec.replicas}{"\\t"}'
    f'{{.metadata.annotations.{labels.path(labels.REPLICAS)}}}{{"\\n"}}{{end}}'
)
# Stands for a number of the shell in a patch.
_HERE = "@"


def stop_step(cluster: Cluster, stack: str, service: str = "") -> Step:
    """No replicas; how many there were is noted, for the start."""
    patch = _replicas(0, noted=_HERE)
    each = f'[ "$count" = 0 ] || {_patch(cluster, patch, "$count")}'
    return _each(cluster, "stop", stack, [service] if service else [], each)


def start_step(cluster: Cluster, stack: str, services: Sequence[str]) -> Step:
    """As many replicas as there were before the stop."""
    patch = _replicas(_HERE, noted=None)
    each = f'[ "$count" != 0 ] || {_patch(cluster, patch, "${had:-1}")}'
    return _each(cluster, "start", stack, services, each)


def _replicas(count: int | str, *, noted: str | None) -> dict[str, Any]:
    return {
        "metadata": {"annotations": {labels.REPLICAS: noted}},
        "spec": {"replicas": count},
    }


def _patch(cluster: Cluster, patch: dict[str, Any], value: str) -> str:
    """With the value of a shell variable, digits, in place of the mark."""
    written = json.dumps(patch)
    written = written.replace(f'"replicas": "{_HERE}"', f'"replicas": {_HERE}')
    before, _, after = written.partition(_HERE)
    word = Raw(f'{shlex.quote(before)}"{value}"{shlex.quote(after)}')
    return merge(cluster, "deployments.apps", Raw('"$name"'), word).script()


def _each(cluster: Cluster, name: str, stack: str, services: Sequence[str], each: str) -> Step:
    """Does something for each Deployment; all are tried even if one fails."""
    selector = labels.of_stack(stack, services)
    listed = kubectl(cluster, "get", "deployments.apps", "-l", selector, "-o", _COUNTS)
    loop = (
        "{ code=0; while IFS=$'\\t' read -r name count had; do "
        f'[ -z "$name" ] || {{ {each} </dev/null; }} || code=1; done; exit "$code"; }}'
    )
    lines = f"( listed=$({listed.script()}) || exit\nprintf '%s\\n' \"$listed\" | {loop} )"
    return Step(name, (Command(Raw(lines)),), must=False)


def restart_step(cluster: Cluster, services: Sequence[str]) -> Step:
    """New pods one after the other, by the strategy of each Deployment."""
    names = [f"deployments.apps/{name}" for name in services]
    words = ("rollout", "restart", *names, f"--field-manager={FIELD_MANAGER}")
    return Step("restart", (kubectl(cluster, *words),), must=False)


def scale_step(cluster: Cluster, service: str, count: int) -> Step:
    """Not `kubectl scale`, which would become the owner of the number."""
    patch = json.dumps(_replicas(count, noted=None))
    return Step("scale", (merge(cluster, "deployments.apps", service, patch),), must=False)


def remove_step(cluster: Cluster, stack: str, service: str = "") -> Step:
    """A Deployment is listed until its pods are gone. What is kept about the stack stays, and so
    do claims and secrets."""
    selector = labels.of_stack(stack, [service] if service else [])
    kinds = ",".join(labels.KINDS)
    words = ("delete", kinds, "-l", selector, "--cascade=foreground", "--wait=false")
    return Step("remove", (kubectl(cluster, *words),), must=False)


def gone_step(cluster: Cluster, stack: str) -> Step:
    """Not if the server can't be asked."""
    selector = labels.of_stack(stack)
    listed = kubectl(cluster, "get", "deployments.apps,pods", "-l", selector, "-o", "name")
    look = f'{{ left=$({listed.script()}) && [ -z "$left" ]; }}'
    loop = (
        f"end=$((SECONDS + {STOP_SECONDS})); "
        f"until {look}; do [ $SECONDS -lt $end ] || exit 1; sleep 1; done"
    )
    return Step("gone", (Command(Raw(f"( {loop} )")),), must=False)
