"""The rancher-compose.yml of a release: that of the stack's directory, if it has one, and what the
setting `services` adds to it.

The stack's own files win: what one of them says about a service is not added.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from spinstack.config import compose, goyaml
from spinstack.config.compose import ComposeFile
from spinstack.config.service_settings import HEALTHY_AFTER, Health, ServiceSetting
from spinstack.config.stack import Stack
from spinstack.platforms.rancher1.compose_keys import FILE

# Rancher would fill in what stands between double braces.
_HEAD = "# notemplating\n# Written by spinstack: see the setting `services` of invoke.yaml.\n"
# Settings and what Rancher calls them.
_KEYS = {"scale": "scale", "health": "health_check"}


@dataclass(frozen=True)
class Twice:
    """A setting that has no effect, since a file of the stack has the key, too."""

    service: str
    setting: str
    file: ComposeFile
    key: str


def text(stack: Stack) -> str:
    """The file as a release needs it; empty if that of the stack's directory will do."""
    own = stack.beside.get(FILE)
    added = {} if own and own.findings else _added(stack)
    if not added:
        return ""
    services = {name: dict(_written(own, name)) for name in own.services} if own else {}
    for name, keys in added.items():
        services[name] = {**services.get(name, {}), **keys}
    data = {"version": "2", **(own.data if own else {}), "services": services}
    return _HEAD + goyaml.dump(data, width=100)


def effective(stack: Stack) -> ComposeFile | None:
    """The file as Rancher gets it; None if it gets none."""
    made = text(stack)
    return compose.parse(made, FILE, optional=True) if made else stack.beside.get(FILE)


def twice(stack: Stack) -> Iterator[Twice]:
    """The settings that are in a file of the stack, too."""
    for name, setting in _known(stack):
        for file in _files(stack):
            for key, theirs in _KEYS.items():
                if key in setting.said and theirs in _written(file, name):
                    yield Twice(name, f"{setting.where}.{key}", file, theirs)


def _added(stack: Stack) -> dict[str, dict[str, Any]]:
    """What the setting adds, by service."""
    found = {}
    for name, setting in _known(stack):
        there = {key for file in _files(stack) for key in _written(file, name)}
        keys = {key: value for key, value in _keys(stack, name, setting) if key not in there}
        if keys:
            found[name] = keys
    return found


def _known(stack: Stack) -> Iterator[tuple[str, ServiceSetting]]:
    settings = stack.service_settings.items()
    return ((name, it) for name, it in settings if name in stack.compose.services)


def _files(stack: Stack) -> list[ComposeFile]:
    return [stack.compose, *stack.beside.values()]


def _written(file: ComposeFile, name: str) -> dict[str, Any]:
    service = file.services.get(name)
    return service if isinstance(service, dict) else {}


def _keys(stack: Stack, name: str, setting: ServiceSetting) -> Iterator[tuple[str, Any]]:
    yield "scale", setting.scale
    if setting.health:
        yield "health_check", _health_check(setting.health)
    if not _written(stack.compose, name).get("ports"):
        # Other services connect to it: an upgraded container keeps its address, so that they
        # find it at once.
        yield "retain_ip", True


def _health_check(health: Health) -> dict[str, Any]:
    """Times are in milliseconds. An unhealthy container is replaced by a new one."""
    request = {"request_line": f"GET {health.path} HTTP/1.0"} if health.path else {}
    return {
        "port": health.port,
        **request,
        "interval": health.interval * 1000,
        "response_timeout": health.timeout * 1000,
        "initializing_timeout": health.start_within * 1000,
        "reinitializing_timeout": health.start_within * 1000,
        "healthy_threshold": HEALTHY_AFTER,
        "unhealthy_threshold": health.retries,
        "strategy": "recreate",
    }
