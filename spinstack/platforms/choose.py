"""The platform of a destination, by the name in its settings. Only this module knows them all."""

from __future__ import annotations

from spinstack.errors import UsageError
from spinstack.platforms.base import Platform


def platform(name: str) -> Platform:
    """Raises UsageError for an unknown name."""
    if name == "cattle":
        from spinstack.platforms.rancher1.platform import Rancher1

        return Rancher1()
    raise UsageError(f"no platform {name!r}", remedy="set platform: cattle")
