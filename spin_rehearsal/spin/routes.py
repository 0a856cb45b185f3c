"""Requests below one project: which record is meant, and what is asked of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from spin_rehearsal.spin import actions, api_resources, secrets_and_volumes
from spin_rehearsal.spin.api_resources import HOST_ID, View
from spin_rehearsal.spin.errors import ApiError, not_found
from spin_rehearsal.spin.resources import Container, Json, Service, Stack, State
from spinstack.rules.centre import Centre


def stack_in(state: State, project: str, id: str) -> Stack:
    stack = state.stacks.get(id)
    if stack is None or stack.project != project:
        raise not_found(f"stack {id}")
    return stack


def service_in(state: State, project: str, id: str) -> Service:
    service = state.services.get(id)
    if service is None or service.project != project:
        raise not_found(f"service {id}")
    return service


def container_in(state: State, project: str, id: str) -> Container:
    container = state.containers.get(id)
    if container is None or container.project != project:
        raise not_found(f"container {id}")
    return container


def filtered(resources: Iterable[Json], query: dict[str, str]) -> Json:
    """A collection of those whose fields have the values of the query, without regard to
    case, as the server's data base compares. Keys that are no fields select nothing out."""
    return api_resources.collection(
        resource
        for resource in resources
        if all(
            str(resource[key]).lower() == value.lower()
            for key, value in query.items()
            if key in resource
        )
    )


class ProjectRoutes:
    """Answers within one transaction of the state."""

    def __init__(self, state: State, shown: View, project: str, centre: Centre) -> None:
        self._state = state
        self._shown = shown
        self._project = project
        self._centre = centre

    def answer(self, method: str, parts: list[str], query: dict[str, str], body: Json) -> Json:
        """`parts` of the path below the project. Raises ApiError."""
        kind, *rest = parts
        if kind not in _KINDS or len(rest) > 2:
            raise not_found("/".join(parts))
        if not rest:
            return self._collection(kind, method, query, body)
        if len(rest) == 2:
            return self._below(method, kind, rest)
        action = query.get("action", "") if method == "POST" else ""
        if method == "DELETE":
            action = "remove"
        if method not in ("GET", "PUT", "POST", "DELETE") or (method == "POST" and not action):
            raise ApiError(405, "MethodNotAllowed")
        return _KINDS[kind](self, method, rest[0], action, body)

    def _below(self, method: str, kind: str, rest: list[str]) -> Json:
        if (kind, rest[1], method) != ("services", "events", "GET"):
            raise not_found("/".join([kind, *rest]))
        return api_resources.events(service_in(self._state, self._project, rest[0]))

    def _collection(self, kind: str, method: str, query: dict[str, str], body: Json) -> Json:
        if method == "GET":
            return filtered(self._all(kind), query)
        made = ("stacks", "services", "volumetemplates", "volumes", "secrets")
        if method != "POST" or kind not in made:
            raise ApiError(405, "MethodNotAllowed")
        if kind == "secrets":
            return self._shown.secret(
                secrets_and_volumes.create_secret(self._state, self._project, body)
            )
        if kind == "volumes":
            volume = secrets_and_volumes.create_volume(self._state, self._project, body)
            return self._shown.named_volume(volume)
        if kind == "stacks":
            stack = actions.create_stack(self._state, self._project, body)
            return self._shown.stack(self._state, stack)
        if kind == "services":
            service = actions.create_service(self._state, self._project, body, self._centre)
            return self._shown.service(self._state, service)
        return self._shown.volume(actions.create_volume(self._state, self._project, body))

    def _all(self, kind: str) -> list[Json]:
        """Everything of a kind that is not removed."""
        state, shown, project = self._state, self._shown, self._project
        if kind == "stacks":
            stacks = (s for s in state.stacks.values() if _present(s, project))
            return [shown.stack(state, stack) for stack in stacks]
        if kind == "services":
            services = (s for s in state.services.values() if _present(s, project))
            return [shown.service(state, service) for service in services]
        if kind == "containers":
            containers = (c for c in state.containers.values() if _present(c, project))
            return [shown.container(state, container) for container in containers]
        if kind == "hosts":
            return [shown.host(project)]
        if kind == "secrets":
            return [shown.secret(s) for s in state.secrets.values() if s.project == project]
        if kind == "volumes":
            named = (v for v in state.named_volumes.values() if v.project == project)
            return [shown.named_volume(volume) for volume in named]
        return [shown.volume(v) for v in state.volumes.values() if v.project == project]

    def _stack(self, method: str, id: str, action: str, body: Json) -> Json:
        stack = stack_in(self._state, self._project, id)
        if method == "PUT":
            stack.description = str(body.get("description") or "")
        elif action:
            actions.act_on_stack(self._state, stack, action, self._centre)
        return self._shown.stack(self._state, stack)

    def _service(self, method: str, id: str, action: str, body: Json) -> Json:
        service = service_in(self._state, self._project, id)
        if method == "PUT":
            actions.update_service(service, body)
        elif action:
            actions.act_on_service(service, action, body, self._centre)
        return self._shown.service(self._state, service)

    def _container(self, method: str, id: str, action: str, body: Json) -> Json:
        container = container_in(self._state, self._project, id)
        if method == "PUT":
            raise ApiError(405, "MethodNotAllowed")
        if action:
            service = self._state.services[container.service]
            actions.act_on_container(service, container, action)
        return self._shown.container(self._state, container)

    def _host(self, method: str, id: str, action: str, body: Json) -> Json:
        if id != HOST_ID:
            raise not_found(f"host {id}")
        if method != "GET":
            raise ApiError(405, "MethodNotAllowed")
        return self._shown.host(self._project)

    def _volume(self, method: str, id: str, action: str, body: Json) -> Json:
        volume = self._state.volumes.get(id)
        if volume is None or volume.project != self._project:
            raise not_found(f"volume template {id}")
        if action == "remove":
            del self._state.volumes[id]
        elif method != "GET":
            raise ApiError(405, "MethodNotAllowed")
        return self._shown.volume(volume)

    def _named_volume(self, method: str, id: str, action: str, body: Json) -> Json:
        volume = self._state.named_volumes.get(id)
        if volume is None or volume.project != self._project:
            raise not_found(f"volume {id}")
        if action == "remove":
            secrets_and_volumes.remove_volume(self._state, volume)
        elif method != "GET":
            raise ApiError(405, "MethodNotAllowed")
        return self._shown.named_volume(volume)

    def _secret(self, method: str, id: str, action: str, body: Json) -> Json:
        """Containers that run keep the copy that they were started with."""
        secret = self._state.secrets.get(id)
        if secret is None or secret.project != self._project:
            raise not_found(f"secret {id}")
        if action == "remove":
            del self._state.secrets[id]
        elif method != "GET":
            raise ApiError(405, "MethodNotAllowed")
        return self._shown.secret(secret)


def _present(record: Stack | Service | Container, project: str) -> bool:
    return record.project == project and record.state != "removed"


_KINDS: Final[dict[str, Callable[[ProjectRoutes, str, str, str, Json], Json]]] = {
    "stacks": ProjectRoutes._stack,
    "services": ProjectRoutes._service,
    "containers": ProjectRoutes._container,
    "hosts": ProjectRoutes._host,
    "volumetemplates": ProjectRoutes._volume,
    "volumes": ProjectRoutes._named_volume,
    "secrets": ProjectRoutes._secret,
}
