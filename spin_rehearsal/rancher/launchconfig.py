"""Turns a service of the compose files into what the API wants to have."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from .composefile import RawService
from .envfile import read_service_env_file
from .failure import Failure
from .govalue import shown
from .variables import Variables

HASH = "io.rancher.service.hash"
SIDEKICKS = "io.rancher.sidekicks"
_DEFAULT_SCALE = 1

# Keys that pass as they are, and their names in the API.
_SAME = {
    "cpu_shares": "cpuShares",
    "cpuset": "cpuSet",
    "domainname": "domainName",
    "hostname": "hostname",
    "ipc": "ipcMode",
    "mem_limit": "memory",
    "mem_reservation": "memoryReservation",
    "memswap_limit": "memorySwap",
    "network_mode": "networkMode",
    "pid": "pidMode",
    "privileged": "privileged",
    "read_only": "readOnly",
    "shm_size": "shmSize",
    "stdin_open": "stdinOpen",
    "stop_signal": "stopSignal",
    "tty": "tty",
    "user": "user",
    "uts": "uts",
    "volume_driver": "volumeDriver",
    "working_dir": "workingDir",
}
# Bytes, also with a unit.
_SIZES = ("mem_limit", "mem_reservation", "memswap_limit", "shm_size")
_SIZE = re.compile(r"(\d+(?:\.\d+)*) ?([kmgtp])?i?b?", re.IGNORECASE)
_LISTS = {
    "cap_add": "capAdd",
    "cap_drop": "capDrop",
    "devices": "devices",
    "dns": "dns",
    "dns_search": "dnsSearch",
    "expose": "expose",
    "extra_hosts": "extraHosts",
    "group_add": "groupAdd",
    "ports": "ports",
    "security_opt": "securityOpt",
    "volumes": "dataVolumes",
}
_WORDS = {"command": "command", "entrypoint": "entryPoint"}
_MAPPINGS = {"labels": "labels", "sysctls": "sysctls"}


class Wanted(NamedTuple):
    """A service as the files want it. `fields` are those of the service itself."""

    name: str
    fields: dict[str, Any]
    launch_config: dict[str, Any]
    sidekicks: list[dict[str, Any]]
    upgrade_strategy: dict[str, Any]
    scale: int

    @property
    def service_hash(self) -> str:
        """Of the fields of the service that an update changes; scale is not among them."""
        return _hash(self.fields)


def wanted_services(services: Mapping[str, RawService], variables: Variables) -> dict[str, Wanted]:
    """All services of the files; sidekicks become part of the one that names them.

    Raises Failure for an env file that can't be read.
    """
    helpers = {
        sidekick: name for name, raw in services.items() for sidekick in _sidekick_names(raw)
    }
    return {
        name: _wanted(name, raw, services, variables)
        for name, raw in services.items()
        if name not in helpers
    }


def launch_config(raw: RawService, variables: Variables) -> dict[str, Any]:
    """The API's launch config, with its own hash among the labels."""
    config: dict[str, Any] = {}
    if raw.get("image"):
        config["imageUuid"] = f"docker:{raw['image']}"
    for key, field in _SAME.items():
        if raw.get(key) is not None:
            config[field] = _size(raw[key]) if key in _SIZES else raw[key]
    for key, field in _LISTS.items():
        if raw.get(key):
            config[field] = [str(item) for item in _as_list(raw[key])]
    for key, field in _WORDS.items():
        if raw.get(key) is not None:
            words = raw[key]
            config[field] = shlex.split(words) if isinstance(words, str) else words
    for key, field in _MAPPINGS.items():
        config[field] = {name: _text(value) for name, value in _as_mapping(raw.get(key)).items()}
    config["environment"] = _environment(raw, variables)
    config["tmpfs"] = dict(_split(entry, ":") for entry in _as_list(raw.get("tmpfs")))
    config["secrets"] = _secrets(raw.get("secrets"))
    if raw.get("health_check"):
        config["healthCheck"] = _camel_keys(raw["health_check"])
    config = {key: value for key, value in config.items() if value not in ({}, [])}
    labels = {**config.get("labels", {}), HASH: _hash(config)}
    return {**config, "labels": labels}


def launch_hash(config: Mapping[str, Any]) -> str:
    """The hash that a launch config carries, ours or the server's; "" without one."""
    return str((config.get("labels") or {}).get(HASH, ""))


def _wanted(
    name: str, raw: RawService, services: Mapping[str, RawService], variables: Variables
) -> Wanted:
    sidekicks = [
        {"name": helper, **launch_config(services[helper], variables)}
        for helper in _sidekick_names(raw)
        if helper in services
    ]
    fields = {"retainIp": bool(raw.get("retain_ip")), "metadata": raw.get("metadata") or {}}
    return Wanted(
        name,
        fields,
        launch_config(raw, variables),
        sidekicks,
        raw.get("upgrade_strategy") or {},
        int(raw.get("scale") or _DEFAULT_SCALE),
    )


def _sidekick_names(raw: RawService) -> list[str]:
    labels = _as_mapping(raw.get("labels"))
    return [name.strip() for name in str(labels.get(SIDEKICKS, "")).split(",") if name.strip()]


def _size(value: Any) -> int:
    """Bytes, as Docker's units are read. Raises Failure for what is no size."""
    match = _SIZE.fullmatch(str(value))
    if match is None or match[1].count(".") > 1:
        raise Failure(f"invalid size: '{value}'")
    return int(float(match[1]) * 1024 ** " kmgtp".index((match[2] or " ").lower()))


def _environment(raw: RawService, variables: Variables) -> dict[str, str]:
    found: dict[str, str] = {}
    for path in _as_list(raw.get("env_file")):
        found.update(read_service_env_file(Path(path), os.environ))
    for name, value in _as_mapping(raw.get("environment")).items():
        if value is None:
            value = variables.get(name)
            if value is None:
                continue
        found[name] = _text(value)
    return found


def _as_list(value: Any) -> list[Any]:
    if value is None:
        return []
    if isinstance(value, dict):
        return [f"{name}:{item}" for name, item in value.items()]
    return list(value) if isinstance(value, list) else [value]


def _as_mapping(value: Any) -> dict[str, Any]:
    """A mapping, or a list of NAME=VALUE as one; a name alone has the value None."""
    if isinstance(value, list):
        return {
            str(entry).partition("=")[0]: entry.partition("=")[2] if "=" in entry else None
            for entry in value
        }
    return {str(name): item for name, item in (value or {}).items()}


def _secrets(value: Any) -> list[dict[str, Any]]:
    entries = [{"source": item} if isinstance(item, str) else item for item in _as_list(value)]
    return [{"name": entry.get("target") or entry.get("source"), **entry} for entry in entries]


def _camel_keys(mapping: Mapping[str, Any]) -> dict[str, Any]:
    made = {}
    for key, value in mapping.items():
        first, *others = str(key).split("_")
        made[first + "".join(word.capitalize() for word in others)] = value
    return made


def _split(entry: str, separator: str) -> tuple[str, str]:
    name, _, rest = str(entry).partition(separator)
    return name, rest


def _text(value: Any) -> str:
    return "" if value is None else shown(value)


def _hash(value: Mapping[str, Any]) -> str:
    return hashlib.sha1(
        json.dumps(value, sort_keys=True, default=str).encode(), usedforsecurity=False
    ).hexdigest()
