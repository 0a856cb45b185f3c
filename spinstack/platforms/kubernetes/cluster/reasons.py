"""Why a service is not as it should be: from its Deployment and pods to one sentence. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from spinstack.platforms.kubernetes.cluster import times
from spinstack.platforms.kubernetes.cluster.tree import (
    child,
    condition,
    items,
    leaving,
    mapping,
    named,
    number,
    text,
)
from spinstack.text import one_line

# Crashes in a row after which a container counts as unhealthy: with the pauses between them, it
# has had most of a minute.
CRASHES = 3
# Seconds by which the kubelet's first words about a pod may be later than its start.
_SLACK = 2

# Reasons for which a container waits that only a change of the stack ends.
# Source: Kubernetes 1.37, pkg/kubelet/images/types.go, pkg/kubelet/kuberuntime.
_CERTAIN = (
    *("InvalidImageName", "ErrImageNeverPull", "CreateContainerConfigError"),
    *("RunContainerError", "StartError", "CreateContainerError", "PreCreateHookError"),
)
_PULLS = ("ErrImagePull", "ImagePullBackOff")
# Of pull errors: the registry has answered, and it was no.
_REFUSED = re.compile(
    r"not found|manifest unknown|unauthorized|denied|forbidden|no match for platform"
    r"|authentication required|no basic auth|invalid reference",
    re.IGNORECASE,
)
# Of pods that are not made: by a policy, a quota, or what is wrong with them; not by a webhook that
# does not answer.
_DENIED = re.compile(r"forbidden|denied|exceeded quota|failed quota|is invalid", re.IGNORECASE)
# Exit codes of a container that was ended from outside, as after a probe that failed.
_ENDED = (0, 128 + 9, 128 + 15)
# Before a container runs.
_STARTING = ("ContainerCreating", "PodInitializing", "")


@dataclass(frozen=True)
class Reason:
    """`text`: one sentence, empty if nothing is known; `certain`: it will not pass by itself;
    `vague`: an event may say more."""

    text: str
    certain: bool = False
    vague: bool = False


NONE = Reason("")


def newest(deployment: dict[str, Any], pods: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The pods of the newest ReplicaSet, which the condition Progressing names; else those that
    are as the newest pod is. Without those that are being removed or have ended."""
    living = [
        one
        for one in pods
        if not leaving(one) and text(one, "status", "phase") not in ("Failed", "Succeeded")
    ]
    said = text(condition(deployment, "Progressing"), "message")
    match = re.search(r'"([^"]+)"', said)
    if match:
        return [one for one in living if _set(one) == match[1]]
    last = max(living, key=lambda one: text(one, "metadata", "creationTimestamp"), default=None)
    return [one for one in living if _set(one) == _set(last)]


def _set(pod: dict[str, Any] | None) -> str:
    """The name of a pod's ReplicaSet."""
    owners = items(pod, "metadata", "ownerReferences")
    return next((text(one, "name") for one in owners), "")


def found(deployment: dict[str, Any], pods: Sequence[dict[str, Any]]) -> Reason:
    """The first of what is known, in this order: what keeps pods from being made, what keeps a
    pod from starting or running, that the time was up, that pods are not ready."""
    failure = condition(deployment, "ReplicaFailure")
    if text(failure, "status") == "True":
        said = one_line(text(failure, "message"))
        return Reason(said, bool(_DENIED.search(said)))
    told = [reason for pod in pods for reason in of_pod(pod)]
    worst = next((one for one in told if one.certain), told[0] if told else NONE)
    progress = condition(deployment, "Progressing")
    if text(progress, "status") != "False" or _is_of_pods_before(progress, pods):
        return worst
    said = worst.text or one_line(text(progress, "message"))
    return Reason(said, certain=True, vague=worst.vague or not worst.text)


def _is_of_pods_before(progress: dict[str, Any], pods: Sequence[dict[str, Any]]) -> bool:
    """Whether the time was up for pods that are gone: those that follow them, as after `stop` or
    once what they lacked is there, have a time of their own, which the server does not count."""
    since = text(progress, "lastUpdateTime")
    made = [text(pod, "metadata", "creationTimestamp") for pod in pods]
    return bool(since and made) and min(made) > since


def of_pod(pod: dict[str, Any]) -> Iterator[Reason]:
    """What keeps a pod from being ready, most telling first."""
    scheduled = condition(pod, "PodScheduled")
    if text(scheduled, "status") == "False":
        # What making room by removing others would not do is no matter.
        said = one_line(text(scheduled, "message")).partition(" preemption: ")[0]
        yield Reason(f"no node takes the pod: {said}")
    statuses = items(pod, "status", "initContainerStatuses")
    statuses += items(pod, "status", "containerStatuses")
    for status in statuses:
        yield from _of_container(status)
    if not statuses and text(scheduled, "status") == "True":
        yield Reason(f"no node has begun with {named(pod)} yet", vague=True)


def _of_container(status: dict[str, Any]) -> Iterator[Reason]:
    name = text(status, "name")
    waiting = mapping(status, "state", "waiting")
    why, said = text(waiting, "reason"), one_line(text(waiting, "message"))
    if why in _PULLS:
        # Older kubelets do not repeat why.
        vague = said.startswith("Back-off ") and ": " not in said
        yield Reason(_sentence(why, said), bool(_REFUSED.search(said)), vague)
    elif why == "CrashLoopBackOff":
        never_ran = text(status, "lastState", "terminated", "reason") in _CERTAIN
        told = f"{name} keeps ending: {ended(status) or said}"
        yield Reason(told, certain=never_ran, vague=_from_outside(status))
    elif why in _CERTAIN:
        yield Reason(_sentence(why, said), certain=True)
    elif why not in _STARTING:
        yield Reason(_sentence(why, said))
    elif waiting:
        yield Reason(f"{name} is being created", vague=True)
    elif child(status, "state", "terminated"):
        if text(status, "state", "terminated", "reason") != "Completed":
            start = text(status, "state", "terminated", "reason") in _CERTAIN
            yield Reason(f"{name} has ended: {ended(status)}", certain=start)
    elif child(status, "ready") is False and mapping(status, "lastState", "terminated"):
        yield Reason(f"{name} was started again: {ended(status)}", vague=_from_outside(status))
    elif child(status, "ready") is False and child(status, "started") is not False:
        yield Reason(f"{name} runs but is not ready", vague=True)
    elif child(status, "ready") is False:
        yield Reason(f"{name} is starting", vague=True)


def is_starting(pod: dict[str, Any]) -> bool:
    """Whether one of its containers waits for what comes before it runs, such as its mounts."""
    waiting = (
        mapping(one, "state", "waiting") for one in items(pod, "status", "containerStatuses")
    )
    return any(one and text(one, "reason") in _STARTING for one in waiting)


def _from_outside(status: dict[str, Any]) -> bool:
    """Whether a container seems to have been ended by somebody else; too much memory says so."""
    last = mapping(status, "lastState", "terminated")
    return number(last, "exitCode") in _ENDED and text(last, "reason") != "OOMKilled"


def _sentence(why: str, said: str) -> str:
    return f"{why}: {said}" if said else why


def ended(status: dict[str, Any]) -> str:
    """How a container ended last: `exit code 1`, `OOMKilled`, with what it left as a message."""
    last = mapping(status, "state", "terminated") or mapping(status, "lastState", "terminated")
    if not last:
        return ""
    why = text(last, "reason")
    code = number(last, "exitCode")
    told = f"exit code {code}" if why in ("", "Error", "Completed") else f"{why}, exit code {code}"
    times_over = number(status, "restartCount")
    told += f", restarted {times_over} times" if times_over > 1 else ""
    said = one_line(text(last, "message"))
    return f"{told}: {said}" if said else told


def gave_out(pod: dict[str, Any]) -> bool:
    """Whether a pod was ready and is not any more, or crashes again and again."""
    if text(condition(pod, "Ready"), "status") != "False":
        return False
    for status in items(pod, "status", "containerStatuses"):
        crashed = number(status, "restartCount") >= CRASHES
        if crashed and child(status, "ready") is False and not child(status, "started"):
            return True
    return _was_ready(pod)


def _was_ready(pod: dict[str, Any]) -> bool:
    """The kubelet says that it is not ready as it begins, and again only after it was."""
    began = times.seconds(text(pod, "status", "startTime"))
    changed = times.seconds(text(condition(pod, "Ready"), "lastTransitionTime"))
    return began is not None and changed is not None and changed > began + _SLACK
