"""The health checks that the setting `services` describes, for any platform."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spinstack.platforms.base import HealthCheck

if TYPE_CHECKING:
    from spinstack.config.stack import Stack


def from_settings(stack: Stack) -> dict[str, HealthCheck]:
    """For each service of the compose file; without a port where the setting has no check."""
    return {name: _check(stack, name) for name in stack.service_names}


def _check(stack: Stack, name: str) -> HealthCheck:
    setting = stack.service_settings.get(name)
    health = setting.health if setting else None
    if health is None:
        where = setting.where if setting else "spinstack.services"
        return HealthCheck("", "", f"invoke.yaml, {where}")
    request = f"GET {health.path}" if health.path else ""
    return HealthCheck(str(health.port), request, f"invoke.yaml, {health.where}")
