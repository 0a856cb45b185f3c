"""What runs on Kubernetes, as kubectl prints it, read into states and reasons."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from spinstack.platforms import health
from spinstack.platforms.base import Phase, ServiceState
from spinstack.platforms.health import Watcher
from spinstack.platforms.kubernetes.cluster import access, events, pods, states
from spinstack.platforms.kubernetes.cluster.reasons import NONE, Reason
from tests.unit import kubernetes_fake as fake
from tests.unit.kubernetes_fake import condition, deployment, ingress, pod, printed


def state(*objects: dict[str, Any]) -> ServiceState:
    (found,) = states.parse(printed(*objects), "demo")
    return found


PROGRESS = condition(
    "Progressing", "True", "ReplicaSetUpdated", 'ReplicaSet "web-2" is progressing.'
)
STARTS = {"state": {"waiting": {"reason": "ContainerCreating"}}, "ready": False, "started": False}


def rolling(**more: Any) -> dict[str, Any]:
    """A new version beside the old one, which still serves."""
    status = {"replicas": 2, "updatedReplicas": 1}
    return deployment("web", conditions=[PROGRESS], status=status, **more)


def waits(reason: str, message: str = "", **more: Any) -> dict[str, Any]:
    waiting = {"reason": reason, "message": message}
    told = {"state": {"waiting": waiting}, "ready": False, "started": False, **more}
    return pod("web", "web-2-xyz", of="web-2", status=told)


def test_a_service_that_is_up() -> None:
    found = state(deployment("web"), pod("web"), ingress("web", "demo.example.org", tls=True))
    assert found.up
    assert (found.state, found.shown, found.phase) == ("available", "healthy", Phase.RUNNING)
    assert (found.scale, found.current, found.message) == (1, 1, "")
    assert found.fqdn == "demo.example.org"


def test_without_a_check_it_is_up_when_it_runs() -> None:
    found = state(deployment("web", probe=False), pod("web"))
    assert found.up
    assert (found.health, found.shown) == ("", "available")


def test_while_it_is_replaced_it_runs_and_moves() -> None:
    found = state(rolling(), pod("web"), pod("web", "web-2-x", of="web-2", status=STARTS))
    assert (found.phase, found.state) == (Phase.RUNNING, "progressing")
    assert (found.moving, found.up, found.stuck) == (True, False, False)
    assert (found.health, found.message) == ("initializing", "web is being created")


def test_what_was_ordered_and_not_yet_seen_moves() -> None:
    found = state(deployment("web", metadata={"generation": 2}), pod("web"))
    assert (found.moving, found.up, found.message) == (True, False, "")


@pytest.mark.parametrize(
    ("reason", "message", "hopeless"),
    [
        ("ErrImagePull", 'failed to resolve reference "r/x:1": r/x:1: not found', True),
        (
            "ImagePullBackOff",
            'Back-off pulling image "r/x:1": ErrImagePull: … 401 Unauthorized',
            True,
        ),
        ("ImagePullBackOff", 'Back-off pulling image "r/x:1"', False),
        ("ErrImagePull", 'failed to do request: Head "https://r/v2": dial tcp: i/o timeout', False),
        ("CreateContainerConfigError", 'secret "demo.token" not found', True),
        ("InvalidImageName", "couldn't parse image name", True),
        ("CrashLoopBackOff", "back-off 10s restarting failed container", False),
        ("ContainerCreating", "", False),
    ],
)
def test_only_what_will_not_pass_is_hopeless(reason: str, message: str, hopeless: bool) -> None:
    found = state(rolling(), pod("web"), waits(reason, message))
    assert found.stuck == hopeless
    assert found.moving != hopeless
    assert found.phase is (Phase.FAILED if hopeless else Phase.RUNNING)
    if message and reason != "CrashLoopBackOff":
        assert message in found.message


def test_given_up_once_is_not_given_up_for_good() -> None:
    watcher = Watcher(["web"], patience=3)
    bad = [state(rolling(), waits("ErrImagePull", "x: not found"))]
    assert [watcher.take(bad), watcher.take(bad)] == [False, False]
    assert not watcher.take([state(rolling(), waits("ContainerCreating"))])
    assert [watcher.take(bad) for _ in range(3)] == [False, False, True]
    with pytest.raises(health.ServicesFailed, match="web failed: ErrImagePull: x: not found"):
        watcher.judge(60, "demo")


def test_a_refusal_of_pods_is_told_though_there_is_none() -> None:
    said = 'pods "web-2-x" is forbidden: exceeded quota: q, requested: pods=1, used: pods=2'
    failure = condition("ReplicaFailure", "True", "FailedCreate", said)
    found = state(
        deployment(
            "web", conditions=[PROGRESS, failure], status={"updatedReplicas": 0, "replicas": 1}
        ),
        pod("web"),
    )
    assert (found.stuck, found.message) == (True, said)
    slow = condition("ReplicaFailure", "True", "FailedCreate", "failed calling webhook: timeout")
    assert state(deployment("web", conditions=[slow], ready=0)).moving


def test_a_deploy_whose_time_is_up_has_failed_with_its_reason() -> None:
    over = condition(
        "Progressing",
        "False",
        "ProgressDeadlineExceeded",
        'ReplicaSet "web-2" has timed out progressing.',
    )
    late = deployment("web", conditions=[over], status={"replicas": 2, "updatedReplicas": 1})
    crashed = {"exitCode": 1, "reason": "Error"}
    found = state(
        late,
        pod("web"),
        waits("CrashLoopBackOff", restartCount=4, lastState={"terminated": crashed}),
    )
    assert (found.state, found.phase, found.stuck) == ("failed", Phase.FAILED, True)
    assert found.message == "web keeps ending: exit code 1, restarted 4 times"
    assert "timed out" in state(late, pod("web")).message


def test_pods_made_after_a_time_was_up_have_one_of_their_own() -> None:
    over = condition("Progressing", "False", "ProgressDeadlineExceeded", "timed out progressing")
    over["lastUpdateTime"] = "2026-11-29T12:00:00Z"
    late = deployment("web", ready=0, conditions=[over])
    for made, stuck in (("2026-11-29T11:59:59Z", True), ("2026-11-29T12:00:01Z", False)):
        begun = pod("web", status=STARTS, metadata={"creationTimestamp": made})
        assert state(late, begun).stuck is stuck


def test_a_container_that_crashes_again_and_again_is_unhealthy() -> None:
    found = state(rolling(), waits("CrashLoopBackOff", restartCount=2))
    assert found.health == "initializing"
    found = state(rolling(probe=False), waits("CrashLoopBackOff", restartCount=3))
    assert (found.health, found.moving) == ("unhealthy", True)


def test_what_was_ready_and_is_not_any_more_is_unhealthy() -> None:
    lost = {**condition("Ready", "False"), "lastTransitionTime": "2026-11-22T17:00:00Z"}
    runs = {"state": {"running": {}}, "ready": False}
    gone = deployment("web", ready=0)
    found = state(gone, pod("web", status=runs, conditions=[lost]))
    assert (found.state, found.health, found.up) == ("unavailable", "unhealthy", False)
    assert found.message == "web runs but is not ready"
    assert state(gone, pod("web", status=runs)).health == "initializing"


def test_stopping_ends_when_the_last_pod_has() -> None:
    going = pod("web", metadata={"deletionTimestamp": fake.MADE})
    found = state(deployment("web", replicas=0, ready=0), going)
    assert (found.state, found.phase, found.moving) == ("stopping", Phase.STOPPING, True)
    assert state(deployment("web", replicas=0, ready=0)).stopped
    leaving = deployment("web", metadata={"deletionTimestamp": fake.MADE})
    assert (state(leaving).state, state(leaving).passing) == ("removing", True)


def test_an_ingress_without_a_name_is_reached_by_its_address() -> None:
    bare = ingress("web", "")
    assert state(deployment("web"), bare).endpoints == ()
    bare["status"] = {"loadBalancer": {"ingress": [{"ip": "10.1.2.3"}]}}
    (point,) = state(deployment("web"), bare).endpoints
    assert (point.ip, point.port, point.scheme) == ("10.1.2.3", 80, "http")


# --- Why ------------------------------------------------------------------------------------


def event(kind: str, name: str, reason: str, message: str, last: str = fake.MADE) -> dict[str, Any]:
    return {
        "kind": "Event",
        "involvedObject": {"kind": kind, "name": name},
        "reason": reason,
        "message": message,
        "count": 3,
        "lastTimestamp": last,
        "type": "Warning",
    }


STARTING = pod("web", "web-2-x", of="web-2", status=STARTS)
MOUNT = (
    'MountVolume.SetUp failed for volume "s" : hostPath type check failed: /d is not a directory'
)


def why(*warnings: dict[str, Any], new: dict[str, Any] = STARTING) -> str:
    return reason(*warnings, new=new).text


def reason(*warnings: dict[str, Any], new: dict[str, Any] = STARTING) -> Reason:
    there = printed(rolling(), pod("web"), new)
    return events.explain(there, printed(*warnings), "demo", "web")


def test_a_mount_that_fails_is_told_with_its_cause() -> None:
    found = why(
        event("Pod", "web-2-x", "FailedMount", MOUNT),
        event("Pod", "app-2-x", "FailedMount", "of another service", "2026-11-22T18:00:00Z"),
        event("Pod", "web-2-x", "BackOff", "Back-off pulling", "2026-11-22T18:00:00Z"),
    )
    assert found == f"web is being created: FailedMount: {MOUNT}"
    cause, remedy = access.known(found) or ("", "")
    assert "/d does not exist on the node" in cause and remedy


@pytest.mark.parametrize(
    ("message", "count", "certain"),
    [
        (MOUNT, 3, True),
        # Seen for the first time: whoever makes it may be about to.
        (MOUNT, 1, False),
        ('MountVolume.SetUp failed for volume "c" : configmap "demo.c" not found', 5, True),
        ('MountVolume.SetUp failed for volume "c" : timed out waiting for the condition', 9, False),
    ],
)
def test_a_mount_that_is_missing_again_and_again_is_hopeless(
    message: str, count: int, certain: bool
) -> None:
    noted = {**event("Pod", "web-2-x", "FailedMount", message), "count": count}
    assert reason(noted).certain is certain
    # It was there at last, and the container needs its time.
    runs = {"state": {"running": {}}, "ready": False, "started": False}
    begun = pod("web", "web-2-x", of="web-2", status=runs)
    assert not reason(noted, new=begun).certain


def test_a_reason_that_says_it_all_needs_no_event() -> None:
    crashed = {"exitCode": 1, "reason": "Error"}
    new = waits("CrashLoopBackOff", restartCount=2, lastState={"terminated": crashed})
    back_off = event("Pod", "web-2-xyz", "BackOff", "Back-off restarting failed container")
    assert why(back_off, new=new) == "web keeps ending: exit code 1, restarted 2 times"


def test_a_container_that_was_ended_by_a_probe_is_told_with_the_probe() -> None:
    """Its exit code says nothing, and the events between are of every restart."""
    ended = {"exitCode": 0, "reason": "Completed"}
    new = waits("CrashLoopBackOff", restartCount=2, lastState={"terminated": ended})
    probe = "Startup probe failed: HTTP probe failed with statuscode: 404"
    found = why(
        event("Pod", "web-2-xyz", "Unhealthy", probe),
        event("Pod", "web-2-xyz", "BackOff", "Back-off restarting failed", "2026-11-22T18:00:00Z"),
        new=new,
    )
    assert found.endswith(f"exit code 0, restarted 2 times: Unhealthy: {probe}")
    cause, _ = access.known(found) or ("", "")
    assert cause.startswith("the service does not respond to its health check")


def test_a_pod_that_is_refused_is_told_by_the_event_of_its_set() -> None:
    refused = (
        'pods "web-2-" is forbidden: violates PodSecurity "restricted:latest": hostPath volumes'
    )
    there = printed(rolling(), pod("web"))
    said = printed(event("ReplicaSet", "web-2", "FailedCreate", refused))
    found = events.explain(there, said, "demo", "web").text
    assert found == f"FailedCreate: {refused}"
    cause, _ = access.known(found) or ("", "")
    assert cause.startswith("the namespace has the security level restricted")


def test_a_service_that_is_unknown_has_no_reason() -> None:
    assert why() == "web is being created"
    assert events.explain(printed(), printed(), "demo", "web") == NONE
    assert events.explain("", "", "demo", "web") == NONE


# --- Containers -----------------------------------------------------------------------------


def test_pods_are_numbered_by_age_and_those_that_leave_come_last() -> None:
    late = {"creationTimestamp": "2026-11-22T16:00:09Z"}
    told = fake.rows(
        [
            pod("web", "web-2-b", metadata=late),
            pod("web", "web-1-a", metadata={"deletionTimestamp": fake.MADE}),
            pod("web", "web-2-a", status={"restartCount": 2, "state": {"running": {}}}),
            waits("CrashLoopBackOff", "back-off 40s"),
        ]
    )
    found = pods.parse(told, "demo")["web"]
    assert [(one.name, one.id, one.state, one.starts) for one in found] == [
        ("web-1", "web-2-a", "running", 3),
        ("web-2", "web-2-xyz", "CrashLoopBackOff", 1),
        ("web-3", "web-2-b", "running", 1),
        ("web-4", "web-1-a", "terminating", 1),
    ]
    assert found[1].message == "back-off 40s"


# --- As a cluster printed it ------------------------------------------------------------------

REAL = Path(__file__).with_name("kubernetes_printed")


@pytest.mark.parametrize(
    ("name", "word", "certain", "sentence", "cause"),
    [
        ("healthy", "available", False, "", ""),
        ("registry-away", "progressing", False, "connection refused", "can't reach the registry"),
        ("secret-missing", "failed", True, 'secret "demo.token" not found', "no secret demo.token"),
        ("host-path", "progressing", False, "FailedMount", "/nonexistent/x does not exist on the"),
        ("no-program", "failed", True, "StartError", "the image has no program gunicorn"),
        ("crash", "failed", True, "exit code 3, restarted 3 times", "ends soon after each start"),
        ("quota", "failed", True, "exceeded quota: q", "no room for pods=1 more"),
        ("pod-security", "failed", True, "violates PodSecurity", "the security level baseline"),
        ("no-room", "progressing", False, "no node takes the pod", "1 Insufficient cpu"),
    ],
)
def test_a_real_cluster_is_understood(
    name: str, word: str, certain: bool, sentence: str, cause: str
) -> None:
    """Kubernetes 1.37, kubectl 1.37; without what nobody reads."""
    told = json.loads((REAL / f"{name}.json").read_text())
    there = json.dumps(told["states"])
    (web,) = states.parse(there, "demo")
    assert (web.state, web.stuck) == (word, certain)
    assert web.up == (name == "healthy")
    noted = json.dumps(told.get("events", {"items": []}))
    found = events.explain(there, noted, "demo", "web").text
    meaning, remedy = access.known(found) or ("", "")
    assert sentence in found and cause in meaning
    assert bool(remedy) == (name != "healthy")
