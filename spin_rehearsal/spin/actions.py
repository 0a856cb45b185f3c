"""What requests change: each method checks, then writes down what shall be; the monitor's
workers do it. Everything runs within one transaction of the store."""

from __future__ import annotations

import time
from typing import Any

from spin_rehearsal.spin import audit, states
from spin_rehearsal.spin.errors import ApiError, invalid
from spin_rehearsal.spin.launch import parse
from spin_rehearsal.spin.resources import Container, Json, Service, Stack, State, Volume
from spinstack.rules.centre import Centre


def create_stack(state: State, project: str, body: Json) -> Stack:
    name = audit.check_name(body.get("name"))
    if any(
        s.name.lower() == name.lower() and s.project == project and s.state != "removed"
        for s in state.stacks.values()
    ):
        raise ApiError(422, "NotUnique", f"there is a stack {name} already", "name")
    stack = Stack(
        id=state.new_id("st"),
        project=project,
        name=name,
        created=time.time(),
        description=str(body.get("description") or ""),
    )
    state.stacks[stack.id] = stack
    return stack


def create_service(state: State, project: str, body: Json, centre: Centre) -> Service:
    stack = state.stacks.get(str(body.get("stackId")))
    if stack is None or stack.project != project or stack.state != "active":
        raise invalid("stackId", "stackId names no active stack", "InvalidReference")
    name = audit.check_name(body.get("name"))
    if any(service.name == name for service in state.services_of(stack.id)):
        raise ApiError(422, "NotUnique", f"there is a service {name} already", "name")
    if body.get("secondaryLaunchConfigs"):
        raise invalid("secondaryLaunchConfigs", "the rehearsal has no sidekicks")
    launch = body.get("launchConfig")
    audit.check(name, parse(launch), centre)
    service = Service(
        id=state.new_id("s"),
        project=project,
        stack=stack.id,
        name=name,
        created=time.time(),
        launch=dict(launch or {}),
        description=str(body.get("description") or ""),
        scale=_scale(body.get("scale", 1)),
        retain_ip=bool(body.get("retainIp")),
        start_on_create=bool(body.get("startOnCreate")),
        metadata=_mapping(body.get("metadata"), "metadata"),
    )
    service.happened(service.created, "service created")
    state.services[service.id] = service
    return service


def _scale(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 100:
        raise invalid("scale", "scale is a number from 0 to 100")
    return value


def _mapping(value: object, field: str) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise invalid(field, f"{field} is a map", "InvalidType")
    return value


def update_service(service: Service, body: Json) -> None:
    """PUT: what can be changed without new containers, and the scale."""
    if service.state in ("removing", "removed"):
        raise ApiError(405, "ActionNotAvailable", f"service {service.name} is {service.state}")
    if "scale" in body and _scale(body["scale"]) != service.scale:
        if service.state in states.SCALE_FIXED:
            told = f"can't change the scale of {service.name} while it is {service.state}"
            raise ApiError(409, "Conflict", told, "scale")
        service.scale = body["scale"]
        service.happened(time.time(), f"scale set to {service.scale}")
    if "retainIp" in body:
        service.retain_ip = bool(body["retainIp"])
    if "metadata" in body:
        service.metadata = _mapping(body["metadata"], "metadata")
    if "description" in body:
        service.description = str(body["description"] or "")
    if service.state in ("active", "updating-active"):
        _enter(service, "updating-active")


def _enter(service: Service, state: str) -> None:
    service.state, service.transitioning = state, "yes"
    service.message = states.WAITING if state in states.WAITS_FOR_CONTAINERS else ""
    service.failures, service.retry_at = 0, 0.0


def act_on_service(service: Service, action: str, body: Json, centre: Centre) -> None:
    """Raises ApiError: 422 for an action that is not available now, 405 for a removal."""
    if action not in states.SERVICE_ACTIONS[service.state] or action == "update":
        status = 405 if action == "remove" else 422
        told = f"{action} is not available: service {service.name} is {service.state}"
        raise ApiError(status, "ActionNotAvailable", told)
    if action == "upgrade":
        _begin_upgrade(service, body, centre)
    if action == "rollback":
        _begin_rollback(service)
    _enter(service, states.SERVICE_NEXT[action])
    service.happened(time.time(), f"{action} asked for")


def _begin_upgrade(service: Service, body: Json, centre: Centre) -> None:
    strategy = _mapping(body.get("inServiceStrategy"), "inServiceStrategy")
    launch = strategy.get("launchConfig")
    audit.check(service.name, parse(launch), centre)
    service.strategy = {
        "batchSize": _number(strategy, "batchSize", 2),
        "intervalMillis": _number(strategy, "intervalMillis", 1000),
        "startFirst": bool(strategy.get("startFirst")),
    }
    service.previous, service.previous_generation = service.launch, service.generation
    service.launch = dict(launch or {})
    service.last_generation += 1
    service.generation = service.last_generation


def _number(strategy: Json, key: str, default: int) -> int:
    value = strategy.get(key)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise invalid(key, f"{key} is a number")
    return value


def _begin_rollback(service: Service) -> None:
    if service.previous is None:
        raise ApiError(422, "ActionNotAvailable", f"{service.name} has nothing to roll back to")
    service.launch, service.generation = service.previous, service.previous_generation


def act_on_stack(state: State, stack: Stack, action: str, centre: Centre) -> None:
    if action not in states.STACK_ACTIONS[stack.state] or action == "update":
        status = 405 if action == "remove" else 422
        told = f"{action} is not available: stack {stack.name} is {stack.state}"
        raise ApiError(status, "ActionNotAvailable", told)
    services = state.services_of(stack.id)
    if action == "activateservices":
        for service in services:
            if service.state == "inactive":
                act_on_service(service, "activate", {}, centre)
    elif action == "deactivateservices":
        _deactivate_all(services)
    else:
        stack.state = "removing"
        for service in services:
            if service.state != "removing":
                act_on_service(service, "remove", {}, centre)


def _deactivate_all(services: list[Service]) -> None:
    """In order, up to the first that can't be: those before it are stopped, as at Rancher."""
    for service in services:
        if service.state in states.STOPPED_ALREADY:
            continue
        if "deactivate" not in states.SERVICE_ACTIONS[service.state]:
            told = f"Service {service.name} is not in valid state to be deactivated"
            raise ApiError(422, "InvalidState", f"{told}: {service.state}")
        _enter(service, "deactivating")
        service.happened(time.time(), "deactivate asked for")


def act_on_container(service: Service, container: Container, action: str) -> None:
    available = states.CONTAINER_ACTIONS[container.state]
    kept = container.generation != service.generation
    if (
        action not in states.CONTAINER_NEXT
        or action not in available
        or (kept and action == "start")
    ):
        status = 405 if container.state in ("removing", "removed") else 422
        told = f"{action} is not available: container {container.name} is {container.state}"
        raise ApiError(status, "ActionNotAvailable", told)
    container.state, container.transitioning = states.CONTAINER_NEXT[action], "yes"
    service.retry_at = 0.0
    service.happened(time.time(), f"{action} of {container.name} asked for")


def create_volume(state: State, project: str, body: Json) -> Volume:
    """A volume template; the volume itself is made with the first container that mounts it."""
    stack = state.stacks.get(str(body.get("stackId")))
    if stack is None or stack.project != project:
        raise invalid("stackId", "stackId names no stack", "InvalidReference")
    name = str(body.get("name") or "")
    if not name:
        raise invalid("name", "name is required", "MissingRequired")
    volume = Volume(
        id=state.new_id("vt"),
        project=project,
        stack=stack.id,
        name=name,
        driver=str(body.get("driver") or "local"),
        created=time.time(),
    )
    state.volumes[volume.id] = volume
    return volume
