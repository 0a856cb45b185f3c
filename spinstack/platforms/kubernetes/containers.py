"""The container of a service: whom it runs as, what it may do and use, what it starts."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

from spinstack.config import goyaml
from spinstack.platforms.kubernetes import quantities
from spinstack.platforms.kubernetes.source import Source

# Asked for where the compose file asks for nothing: enough to start with. Kubernetes would take
# the limits, and an upgrade, which starts a second container, would find no place.
SMALL_CPU, SMALL_MEMORY = 0.05, 128 * 1024**2
# What `cpu_shares` counts a core as. Source: docs.docker.com, "Resource constraints".
_SHARES = 1024
_PERIOD = 100_000


def ids(source: Source) -> tuple[int | None, int | None]:
    """User and group as numbers; None for what is not set, or is a name."""
    user, _, group = source.service.user.partition(":")
    return _id(user), _id(group)


def _id(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 10 else None


def groups(source: Source) -> list[int]:
    """The further groups of its process."""
    found = (_id(group) for group in source.service.group_add)
    return [group for group in found if group is not None]


def security(source: Source) -> dict[str, Any]:
    """The whole set, also where it is the default: the centre's policies ask for it."""
    user, group = ids(source)
    found: dict[str, Any] = {}
    if user is not None:
        found["runAsUser"] = user
        if group is not None:
            found["runAsGroup"] = group
        if user:
            found["runAsNonRoot"] = True
    found |= {"privileged": False, "allowPrivilegeEscalation": False}
    if source.keys.get("read_only") is True:
        found["readOnlyRootFilesystem"] = True
    capabilities = {
        "drop": [_capability(name) for name in source.service.cap_drop],
        "add": [_capability(name) for name in source.service.cap_add],
    }
    kept = {key: names for key, names in capabilities.items() if names}
    return {**found, "capabilities": kept} if kept else found


def _capability(name: str) -> str:
    return name.upper().removeprefix("CAP_")


def pod_security(source: Source) -> dict[str, Any]:
    """What holds for the pod: the group of its volumes, further groups, allowed system calls."""
    _, group = ids(source)
    found: dict[str, Any] = {"seccompProfile": {"type": "RuntimeDefault"}}
    if group is not None:
        found |= {"fsGroup": group, "fsGroupChangePolicy": "OnRootMismatch"}
    if groups(source):
        found["supplementalGroups"] = groups(source)
    return found


def command(source: Source) -> dict[str, list[str]]:
    """`command` and `args`: the entry point and what follows it."""
    found = {
        "command": words(source.keys.get("entrypoint")),
        "args": words(source.keys.get("command")),
    }
    return {key: [literal(word) for word in value] for key, value in found.items() if value}


def words(written: Any) -> list[str]:
    """A command as words, whether it was written as a list or as a line for a shell."""
    if isinstance(written, list):
        return [goyaml.shown(item) for item in written if not isinstance(item, (list, dict))]
    if written is None or isinstance(written, dict):
        return []
    try:
        return shlex.split(goyaml.shown(written))
    except ValueError:
        return [goyaml.shown(written)]


def literal(text: str) -> str:
    """As Kubernetes has to be told a text that it shall pass on: it takes `$(NAME)` for a variable
    and two dollar signs for one."""
    return text.replace("$", "$$") if "$(" in text or "$$" in text else text


def environment(variables: Mapping[str, str]) -> list[dict[str, str]]:
    """In the order of their names, so that the same variables are the same text."""
    return [{"name": name, "value": literal(variables[name])} for name in sorted(variables)]


def resources(source: Source) -> dict[str, dict[str, str]]:
    """Requests, which are always made, and limits if there are any."""
    keys = source.keys
    most_cpu, most_memory = _cpu_limit(keys), quantities.bytes_of(keys.get("mem_limit"))
    least_cpu = _cpu_request(keys) or min(SMALL_CPU, most_cpu or SMALL_CPU)
    least_memory = quantities.bytes_of(keys.get("mem_reservation"))
    least_memory = least_memory or min(SMALL_MEMORY, most_memory or SMALL_MEMORY)
    requests = {"cpu": quantities.cpu(least_cpu), "memory": quantities.shown(least_memory)}
    limits = {}
    if most_cpu:
        limits["cpu"] = quantities.cpu(most_cpu)
    if most_memory:
        limits["memory"] = quantities.shown(most_memory)
    return {"requests": requests, "limits": limits} if limits else {"requests": requests}


def _cpu_limit(keys: Mapping[str, Any]) -> float | None:
    """Cores: a quota of each period, or a number of them."""
    quota = quantities.number(keys.get("cpu_quota"))
    if quota:
        return quota / (quantities.number(keys.get("cpu_period")) or _PERIOD)
    return quantities.number(keys.get("cpu_count"))


def _cpu_request(keys: Mapping[str, Any]) -> float | None:
    milli = quantities.number(keys.get("milli_cpu_reservation"))
    shares = quantities.number(keys.get("cpu_shares"))
    return milli / 1000 if milli else shares / _SHARES if shares else None
