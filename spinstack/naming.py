"""Names of secrets and volumes at Spin: they tell which stack and service they belong to.

Source: docs.nersc.gov, Spin best practices, "Naming conventions". Pure.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from spinstack.finding import Finding

# Rancher's own limit for names of things; a file name seen as /run/secrets/NAME.
_FILE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")


def secret_name(
    name: str, stack: str, services: Collection[str], where: str = "secret name"
) -> list[Finding]:
    """`SERVICE.STACK.FILE`, or `STACK.FILE` for a secret of several services."""
    for prefix in (f"{stack}.", *(f"{service}.{stack}." for service in services)):
        if name.startswith(prefix) and _FILE.fullmatch(name.removeprefix(prefix)):
            return []
    example = f"{next(iter(services), 'db')}.{stack}.password"
    remedy = f"SERVICE.{stack}.FILE such as {example}, or {stack}.FILE for several services"
    return [Finding("secret-name", where, f"{name!r} can't be a secret's name", remedy)]


def volume_name(
    name: str, stack: str, services: Collection[str], where: str = "volume name"
) -> list[Finding]:
    """`SERVICE.STACK`."""
    if name in {f"{service}.{stack}" for service in services}:
        return []
    allowed = ", ".join(f"{service}.{stack}" for service in services)
    problem = f"{name!r} can't be a volume's name"
    return [Finding("volume-name", where, problem, f"SERVICE.STACK: one of {allowed}")]
