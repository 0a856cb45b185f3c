"""What a service must answer to count as healthy, and how many containers it has.

Read from rancher-compose.yml; whoever reads it from elsewhere changes this module alone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from spinstack.config.stack import Stack
from spinstack.text import whole_number

# The file with health checks and scales.
FILE = "rancher-compose.yml"


@dataclass(frozen=True)
class Health:
    """Of one service. `port`: None without a check; `path`: empty if a connection is enough;
    `start_within`, `interval`, `timeout`: seconds; `retries`: failures in a row; `restart`: whether
    a container that fails is replaced; `where`: file and line that say so."""

    port: int | None = None
    path: str = ""
    start_within: int = 60
    interval: int = 2
    timeout: int = 2
    retries: int = 3
    restart: bool = True
    scale: int = 1
    where: str = ""


def health(stack: Stack) -> dict[str, Health]:
    """For each service of the compose file."""
    return {name: _of(stack, name) for name in stack.service_names}


def _of(stack: Stack, name: str) -> Health:
    file = stack.beside.get(FILE)
    if file is None or file.findings:
        return Health(where=stack.compose.where("services", name))
    service = file.services.get(name)
    told = service if isinstance(service, dict) else {}
    check = told.get("health_check")
    values = check if isinstance(check, dict) else {}
    return Health(
        port=_number(values.get("port"), None),
        path=_path(values.get("request_line")),
        start_within=_seconds(values.get("initializing_timeout"), Health.start_within),
        interval=_seconds(values.get("interval"), Health.interval),
        timeout=_seconds(values.get("response_timeout"), Health.timeout),
        retries=_number(values.get("unhealthy_threshold"), Health.retries) or Health.retries,
        restart=values.get("strategy") != "none",
        scale=_number(told.get("scale"), Health.scale),
        where=file.where("services", name, "health_check", "port"),
    )


def _number(value: Any, otherwise: Any) -> Any:
    found = whole_number(str(value)) if not isinstance(value, bool) else None
    return otherwise if found is None else found


def _seconds(milliseconds: Any, otherwise: int) -> int:
    found = _number(milliseconds, None)
    return otherwise if found is None else max(1, math.ceil(found / 1000))


def _path(request_line: Any) -> str:
    """Of `GET /healthz HTTP/1.0`; empty for anything that is no request for a path."""
    words = str(request_line or "").replace('"', "").split()
    return words[1] if len(words) > 1 and words[1].startswith("/") else ""
