"""How a stack's services run, for every platform: the setting `services`, with the health check
of each and how many containers it has."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from spinstack.config import schema
from spinstack.errors import UsageError

# Good answers in a row until a container is healthy.
HEALTHY_AFTER = 2

_MOST = {"port": 65535}
# Of a request line: no spaces, nothing that is not ASCII.
_PATH = re.compile(r"/[!-~]*")


@dataclass(frozen=True)
class Health:
    """What a container must answer to be healthy: a GET of `path` on the port, or a connection if
    the path is empty. It is asked every `interval` seconds, each answer may take `timeout`
    seconds, `retries` bad ones in a row make it unhealthy; a new container has `start_within`
    seconds to become healthy. `where`: the setting."""

    port: int
    path: str
    start_within: int
    interval: int
    timeout: int
    retries: int
    where: str


@dataclass(frozen=True)
class Stop:
    """How a container ends when its work is done: a command for its shell asks for that, and it has
    `within` seconds."""

    command: str
    within: int


@dataclass(frozen=True)
class ServiceSetting:
    """A service: its health check, None without one, its number of containers, and how one ends
    (None: by its signal). `said`: the keys that are set; `where`: the setting."""

    health: Health | None
    scale: int
    stop: Stop | None
    said: frozenset[str]
    where: str


def read(written: Mapping[str, Any], where: str) -> dict[str, ServiceSetting]:
    """From the setting `services`, by service. Raises UsageError for what is missing, unknown or
    wrong."""
    return {str(name): _service(it, f"{where}.{name}") for name, it in written.items()}


def _service(written: Any, where: str) -> ServiceSetting:
    values = _values(written, schema.SERVICE_KEYS, where)
    health = values["health"]
    return ServiceSetting(
        health=None if health is None else _health(health, f"{where}.health"),
        scale=values["scale"],
        stop=None if values["stop"] is None else _stop(values["stop"], f"{where}.stop"),
        said=frozenset(key for key, it in (written or {}).items() if it is not None),
        where=where,
    )


def _health(written: Any, where: str) -> Health:
    values = _values(written, schema.HEALTH_KEYS, where)
    if values["port"] is None:
        remedy = "add port: with the port inside the container"
        raise UsageError("the setting port is missing", where=where, remedy=remedy)
    path = values["path"] or ""
    if path and not _PATH.fullmatch(path):
        raise UsageError(
            f"path can't be {path!r}",
            where=f"{where}.path",
            remedy="write a path such as /healthz, or leave it out to check for a connection only",
        )
    return Health(**{**values, "path": path}, where=where)


def _stop(written: Any, where: str) -> Stop:
    values = _values(written, schema.STOP_KEYS, where)
    if not values["command"]:
        remedy = "add command: with what makes the program end when its work is done"
        raise UsageError("the setting command is missing", where=where, remedy=remedy)
    return Stop(**values)


def _values(written: Any, keys: tuple[schema.Key, ...], where: str) -> dict[str, Any]:
    """A value for every key, all numbers within their range."""
    if written is not None and not isinstance(written, dict):
        known = ", ".join(f"{key.name}:" for key in keys)
        name = where.rpartition(".")[2]
        raise UsageError(f"{name} must be a mapping", where=where, remedy=f"set {known} in it")
    given = {key: it for key, it in (written or {}).items() if it is not None}
    schema.check(given, keys, where)
    values = {**{key.name: key.default for key in keys}, **given}
    for key, value in values.items():
        most = _MOST.get(key)
        if isinstance(value, int) and (value < 1 or (most and value > most)):
            remedy = f"write a number from 1 to {most}" if most else "write a number from 1"
            raise UsageError(f"{key} can't be {value}", where=f"{where}.{key}", remedy=remedy)
    return values


def stats_commands(setting: Mapping[str, Any]) -> dict[str, list[str]]:
    """The commands of the setting `stats` as words, by service. Raises UsageError for one that
    can't be parsed."""
    return {str(name): _words(str(name), text) for name, text in setting.items() if text}


def _words(service: str, text: object) -> list[str]:
    try:
        words = shlex.split(text) if isinstance(text, str) else []
    except ValueError:
        words = []
    if not words:
        raise UsageError(
            f"{text!r} is not a command",
            where=f"spinstack.stats.{service}",
            remedy="give a program and its arguments, as for "
            f"`invoke exec --service {service} --command`",
        )
    return words
