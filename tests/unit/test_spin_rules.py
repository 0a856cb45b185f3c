"""The Spin service of the rehearsal: what it refuses, and what is possible when."""

from __future__ import annotations

import time
from typing import Any

import pytest

from spin_rehearsal.spin import actions, audit, plan, states
from spin_rehearsal.spin.errors import ApiError
from spin_rehearsal.spin.launch import parse
from spin_rehearsal.spin.resources import Container, Service, State
from spinstack.rules import centre

CENTRE = centre.load()
GOOD: dict[str, Any] = {
    "imageUuid": "docker:registry.spin.nersc.gov/desi/nightwatch:2026-01-31",
    "user": "1000:58102",
    "capDrop": ["ALL"],
    "dataVolumes": ["/global/cfs/cdirs/desi/data:/app/data:ro"],
    "ports": ["60037:8080/tcp"],
}


def refusal(name: str = "web", **changes: Any) -> ApiError:
    with pytest.raises(ApiError) as caught:
        audit.check(name, parse({**GOOD, **changes}), CENTRE)
    return caught.value


def test_the_audit_passes_a_service_that_keeps_the_rules() -> None:
    audit.check("web", parse(GOOD), CENTRE)
    audit.check("app-2", parse({**GOOD, "dataVolumes": ["cache:/cache"], "user": None}), CENTRE)


@pytest.mark.parametrize(
    ("changes", "field", "words"),
    [
        ({"name": "frontend"}, "name", "can't be a service name"),
        ({"imageUuid": "docker:ghcr.io/me/web:1"}, "imageUuid", "does not pull"),
        ({"imageUuid": "docker:registry.nersc.gov/d/x:latest"}, "imageUuid", "which image it is"),
        ({"user": ":"}, "user", "'' is not a numeric user id"),
        ({"user": "root"}, "user", "numeric user id"),
        ({"capDrop": []}, "capAdd", "with capabilities"),
        ({"capAdd": ["CHOWN"]}, "capAdd", "may not have the capability CHOWN"),
        ({"dataVolumes": ["/global/homes/d/demo:/x"]}, "dataVolumes", "can't mount"),
        ({"ports": ["80:8080"]}, "ports", "reverse proxy"),
        ({"ports": ["60037:80"]}, "ports", "inside a container"),
        ({"privileged": True}, "privileged", "does not allow privileged"),
        ({"networkMode": "host"}, "networkMode", "managed network only"),
        ({"imageUuid": ""}, "imageUuid", "required"),
        ({"dataVolumes": ["a:b"]}, "dataVolumes", "SOURCE:TARGET"),
        ({"environment": {"A": "1\nB=2"}}, "environment", "can't be passed"),
        ({"command": "httpd -f"}, "command", "list"),
        ({"healthCheck": {"interval": 1}}, "healthCheck", "needs a port"),
    ],
)
def test_the_audit_names_field_and_problem(changes: dict[str, Any], field: str, words: str) -> None:
    error = refusal(**changes)
    assert (error.status, error.field) == (422, field)
    assert words in error.message


def test_the_audit_tells_everything_at_once() -> None:
    message = refusal(user="", capDrop=[], ports=["443:8080"]).message
    assert "without a user" in message and "capabilities" in message and "443" in message


def service(state: str, **fields: Any) -> Service:
    return Service("1s1", "1a5", "1st1", "web", 1.0, {**GOOD}, state=state, **fields)


def container(number: int, index: int = 1, generation: int = 1, **fields: Any) -> Container:
    fields = {"state": "running", "engine_id": "abc", **fields}
    name = f"demo-web-{index}"
    return Container(
        f"1i{number}", "1a5", "1st1", "1s1", name, index, generation, "x", 1.0, **fields
    )


def state_of(service: Service, *containers: Container) -> State:
    return State(services={service.id: service}, containers={c.id: c for c in containers})


def test_every_state_is_left_by_time_or_by_an_action() -> None:
    for state, offered in states.SERVICE_ACTIONS.items():
        assert offered or states.settles(state) or state == "removed"
    assert set(states.SERVICE_NEXT.values()) <= set(states.SERVICE_SETTLES)
    assert set(states.SERVICE_SETTLES.values()) <= set(states.SERVICE_ACTIONS)


@pytest.mark.parametrize("action", ["deactivate", "activate", "restart", "upgrade"])
def test_an_upgraded_service_waits_for_the_decision(action: str) -> None:
    with pytest.raises(ApiError) as caught:
        actions.act_on_service(service("upgraded"), action, {}, CENTRE)
    assert caught.value.status == 422 and "is upgraded" in caught.value.message


def test_the_scale_is_fixed_while_upgraded() -> None:
    with pytest.raises(ApiError) as caught:
        actions.update_service(service("upgraded"), {"scale": 2})
    assert caught.value.status == 409
    actions.update_service(service("upgraded"), {"scale": 1, "retainIp": True})


def test_what_waits_for_its_containers_says_so() -> None:
    waiting = service("active")
    actions.act_on_service(
        waiting, "upgrade", {"inServiceStrategy": {"launchConfig": GOOD}}, CENTRE
    )
    assert waiting.message == "Waiting for instances to start"
    actions.act_on_service(waiting, "rollback", {}, CENTRE)
    assert waiting.message == ""


@pytest.mark.parametrize("state", ["removing", "removed"])
def test_a_second_removal_is_refused(state: str) -> None:
    with pytest.raises(ApiError) as caught:
        actions.act_on_service(service(state), "remove", {}, CENTRE)
    assert caught.value.status == 405


def test_an_upgrade_and_its_rollback_swap_the_launch_configs() -> None:
    changed = service("active")
    newer = {**GOOD, "user": "1001:58102"}
    body = {"inServiceStrategy": {"launchConfig": newer}}
    actions.act_on_service(changed, "upgrade", body, CENTRE)
    assert (changed.state, changed.generation, changed.launch) == ("upgrading", 2, newer)
    actions.act_on_service(changed, "rollback", {}, CENTRE)
    assert (changed.state, changed.generation, changed.launch) == ("rolling-back", 1, GOOD)
    changed.state = "active"
    actions.act_on_service(changed, "upgrade", body, CENTRE)
    assert changed.generation == 3


def test_an_upgrade_that_the_audit_refuses_changes_nothing() -> None:
    untouched = service("active")
    body = {"inServiceStrategy": {"launchConfig": {**GOOD, "user": "root"}}}
    with pytest.raises(ApiError):
        actions.act_on_service(untouched, "upgrade", body, CENTRE)
    assert (untouched.state, untouched.generation) == ("active", 1)


def test_stopping_a_stack_stops_at_the_service_that_cannot_be_stopped() -> None:
    first, second = service("active"), service("upgraded")
    second.id, second.name = "1s2", "app"
    state = State(services={"1s1": first, "1s2": second})
    stack = actions.create_stack(state, "1a5", {"name": "demo"})
    first.stack = second.stack = stack.id
    with pytest.raises(ApiError) as caught:
        actions.act_on_stack(state, stack, "deactivateservices", CENTRE)
    assert "Service app is not in valid state to be deactivated: upgraded" in caught.value.message
    assert first.state == "deactivating"


def test_a_name_is_given_once_in_an_environment() -> None:
    state = State()
    actions.create_stack(state, "1a5", {"name": "Default"})
    actions.create_stack(state, "1a6", {"name": "Default"})
    with pytest.raises(ApiError) as caught:
        actions.create_stack(state, "1a5", {"name": "default"})
    assert caught.value.code == "NotUnique"


def test_an_active_service_is_mended_and_an_upgraded_one_is_not() -> None:
    dead = container(1, state="stopped", exit_code=1, start_at=5.0)
    launch = parse(GOOD)
    active = service("active")
    assert not plan.due(state_of(active, dead), active, launch, now=4.0)
    assert plan.due(state_of(active, dead), active, launch, now=6.0)
    upgraded = service("upgraded")
    assert not plan.due(state_of(upgraded, dead), upgraded, launch, now=6.0)


def test_repairs_of_a_service() -> None:
    checked = {**GOOD, "healthCheck": {"port": 8080}}
    active = service("active", scale=3, generation=2)
    state = state_of(
        active,
        container(1, 1, 1, state="stopped"),
        container(2, 1, 2, health="unhealthy"),
        container(3, 2, 2, state="error", start_at=9.0),
        container(4, 4, 2),
    )
    wanted = [("remove", "1i1"), ("remove", "1i4"), ("replace", "1i2"), ("start", "")]
    found = plan.repairs(state, active, parse(checked), now=1.0)
    assert [(repair.kind, repair.container) for repair in found] == wanted
    left = {**checked, "healthCheck": {"port": 8080, "strategy": "none"}}
    found = plan.repairs(state, active, parse(left), now=1.0)
    assert "replace" not in {repair.kind for repair in found}


def test_a_job_that_runs_once_is_not_started_again() -> None:
    job = parse({**GOOD, "labels": {"io.rancher.container.start_once": "true"}})
    active = service("active")
    state = state_of(active, container(1, state="stopped", exit_code=0))
    assert plan.repairs(state, active, job, now=9.0) == []
    assert plan.service_health(state, active, job, now=9.0) == "started-once"


@pytest.mark.parametrize(
    ("in_state", "fields", "health"),
    [
        ("active", {}, "healthy"),
        ("active", {"health": "initializing"}, "initializing"),
        ("active", {"state": "stopped"}, "initializing"),
        ("active", {"state": "stopped", "restarts": 3}, "unhealthy"),
        ("active", {"state": "error"}, "unhealthy"),
        ("upgraded", {"state": "stopped"}, "unhealthy"),
        ("inactive", {"state": "stopped"}, ""),
    ],
)
def test_a_service_is_as_well_as_its_worst_container(
    in_state: str, fields: dict[str, Any], health: str
) -> None:
    shown = service(in_state)
    state = state_of(shown, container(1, **fields))
    assert plan.service_health(state, shown, parse(GOOD), time.time()) == health


def test_the_state_survives_its_file() -> None:
    kept = service("upgraded", previous=GOOD, previous_generation=1)
    kept.happened(2.0, "something")
    state = state_of(kept, container(1, exit_code=3))
    state.new_id("s")
    assert State.from_json(state.as_json()) == state
