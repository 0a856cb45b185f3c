"""Records as the resources of Rancher's API. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timezone
from typing import Any

from spin_rehearsal.spin import plan, states
from spin_rehearsal.spin.config import Project, SpinConfig
from spin_rehearsal.spin.launch import Launch, parse
from spin_rehearsal.spin.resources import (
    Container,
    Json,
    NamedVolume,
    Secret,
    Service,
    Stack,
    State,
    Volume,
)

HOST_ID = "1h1"


def iso(time: float) -> str:
    """Seconds since 1970 as the API writes a moment."""
    return datetime.fromtimestamp(time, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def collection(resources: Iterable[Json]) -> Json:
    return {"type": "collection", "links": {}, "data": list(resources)}


def _resource(kind: str, id: str, created: float, **fields: Any) -> Json:
    return {
        "id": id,
        "type": kind,
        "links": {},
        "actions": {},
        "created": iso(created),
        "createdTS": int(created * 1000),
        **fields,
    }


class View:
    """Shows the state to a client who reached the service as `base` (URL of `/v2-beta`)."""

    def __init__(self, config: SpinConfig, base: str, now: float) -> None:
        self._config = config
        self._base = base
        self._now = now

    def _actions(self, project: str, kind: str, id: str, names: Iterable[str]) -> dict[str, str]:
        url = f"{self._base}/projects/{project}/{kind}/{id}"
        return {name: url if name == "update" else f"{url}?action={name}" for name in names}

    def project(self, project: Project) -> Json:
        fields = {"name": project.name, "orchestration": "cattle", "state": "active"}
        return _resource("project", project.id, 0, **fields)

    def host(self, project: str) -> Json:
        return _resource(
            "host",
            HOST_ID,
            0,
            accountId=project,
            name=self._config.node_name,
            hostname=self._config.node_name,
            agentIpAddress=self._config.node_address,
            state="active",
            transitioning="no",
        )

    def volume(self, volume: Volume) -> Json:
        return _resource(
            "volumeTemplate",
            volume.id,
            volume.created,
            name=volume.name,
            stackId=volume.stack,
            driver=volume.driver,
            state="active",
        )

    def named_volume(self, volume: NamedVolume) -> Json:
        return _resource(
            "volume",
            volume.id,
            volume.created,
            name=volume.name,
            driver=volume.driver,
            state=volume.state,
            transitioning="yes" if volume.state == "removing" else "no",
        )

    def secret(self, secret: Secret) -> Json:
        """Without its value: nobody can read it back."""
        told = {"name": secret.name, "description": secret.description, "state": "active"}
        return _resource("secret", secret.id, secret.created, **told)

    def stack(self, state: State, stack: Stack) -> Json:
        services = state.services_of(stack.id)
        healths = [plan.service_health(state, s, parse(s.launch), self._now) for s in services]
        changing = stack.state == "removing" or any(s.transitioning == "yes" for s in services)
        failed = [s.message for s in services if s.transitioning == "error"]
        names = states.STACK_ACTIONS[stack.state]
        return {
            **_resource("stack", stack.id, stack.created),
            "actions": self._actions(stack.project, "stacks", stack.id, names),
            "accountId": stack.project,
            "name": stack.name,
            "description": stack.description,
            "state": stack.state,
            "healthState": states.worst_health(healths) or None,
            "transitioning": "error" if failed else "yes" if changing else "no",
            "transitioningMessage": failed[0] if failed else "",
            "serviceIds": [s.id for s in services],
        }

    def service(self, state: State, service: Service) -> Json:
        launch = parse(service.launch)
        containers = state.containers_of(service.id)
        running = [c for c in state.current(service) if c.state == "running"]
        health = plan.service_health(state, service, launch, self._now)
        names = states.SERVICE_ACTIONS[service.state]
        return {
            **_resource("service", service.id, service.created),
            "actions": self._actions(service.project, "services", service.id, names),
            "accountId": service.project,
            "name": service.name,
            "description": service.description,
            "stackId": service.stack,
            "state": service.state,
            "healthState": health or None,
            "transitioning": service.transitioning,
            "transitioningMessage": service.message,
            "scale": service.scale,
            "currentScale": service.current_scale,
            "retainIp": service.retain_ip,
            "startOnCreate": service.start_on_create,
            "metadata": service.metadata,
            "fqdn": self._fqdn(state, service, launch),
            "publicEndpoints": self._endpoints(service, launch, running),
            "instanceIds": [c.id for c in containers],
            "launchConfig": service.launch,
            "secondaryLaunchConfigs": [],
            "upgrade": _upgrade(service),
        }

    def _fqdn(self, state: State, service: Service, launch: Launch) -> str | None:
        """As at Spin, only services with a published port have a DNS name."""
        if not launch.ports:
            return None
        environment = next(
            (p.name for p in self._config.projects if p.id == service.project), service.project
        )
        stack = state.stacks[service.stack].name
        return f"{service.name}.{stack}.{environment}.{self._config.fqdn_suffix}".lower()

    def _endpoints(self, service: Service, launch: Launch, running: list[Container]) -> list[Json]:
        return [
            {
                "type": "publicEndpoint",
                "ipAddress": self._config.node_address,
                "port": int(port.outside),
                "hostId": HOST_ID,
                "instanceId": container.id,
                "serviceId": service.id,
            }
            for container in running
            for port in launch.ports
        ]

    def container(self, state: State, container: Container) -> Json:
        service = state.services[container.service]
        names = list(states.CONTAINER_ACTIONS[container.state])
        if container.generation != service.generation and "start" in names:
            # Kept for a rollback: only that starts it again.
            names.remove("start")
        return {
            **_resource("container", container.id, container.created),
            "actions": self._actions(container.project, "containers", container.id, names),
            "accountId": container.project,
            "name": container.name,
            "state": container.state,
            "healthState": container.health or None,
            "transitioning": container.transitioning,
            "transitioningMessage": container.message,
            "imageUuid": f"docker:{container.image}",
            "primaryIpAddress": container.address or None,
            "externalId": container.engine_id or None,
            "hostId": HOST_ID,
            "stackId": container.stack,
            "serviceId": container.service,
            "serviceIds": [container.service],
            "deploymentUnitUuid": f"{service.id}-{container.index}",
            "exitCode": container.exit_code,
            "startCount": container.restarts + bool(container.started),
        }


def _upgrade(service: Service) -> Json | None:
    if service.previous is None:
        return None
    return {
        "inServiceStrategy": {
            **service.strategy,
            "launchConfig": service.launch,
            "previousLaunchConfig": service.previous,
        }
    }


def events(service: Service) -> Json:
    """What happened to a service, oldest first."""
    return collection({"time": iso(event.time), "text": event.text} for event in service.events)
