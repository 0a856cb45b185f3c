"""The keys that Rancher's CLI knows in a compose file (v0.6.7, format version 2), as data.

Source: the schema in that version of the client (rancher-compose-executor, config/schema.go, format
2.0), and what it accepts and refuses when it is run; the rehearsal's client has the same table (a
test holds the two together).
"""

from __future__ import annotations

import difflib
import re
from typing import Any

# What Rancher reads besides the compose file: health checks, scale.
FILE = "rancher-compose.yml"

# Types that a value may have → the keys of a service with such values. Lists of `strings` and
# `scalars` have each item once, those of `words` and `entries` as often as one likes.
_KEYS: dict[tuple[str, ...], str] = {
    ("string",): "cgroup_parent config container_name cpuset default_cert description domainname"
    " hostname image ipc isolation mac_address network_mode restart stop_signal type user userdata"
    " uts volume_driver working_dir",
    ("string", "null"): "pid",
    ("boolean",): "init oom_kill_disable privileged read_only retain_ip start_on_create stdin_open"
    " tty",
    ("integer",): "mem_swappiness oom_score_adj",
    ("number", "string"): "blkio_weight cpu_period cpu_quota cpu_shares drain_timeout_ms mem_limit"
    " mem_reservation memory memswap_limit milli_cpu_reservation scale shm_size stop_grace_period"
    " vcpu",
    ("strings",): "blkio_weight_device cap_add cap_drop certs depends_on devices external_ips"
    " external_links links security_opt volumes volumes_from",
    ("scalars",): "expose group_add ports",
    ("string", "strings"): "dns dns_search env_file tmpfs",
    ("string", "words"): "command entrypoint",
    ("strings", "pairs"): "device_read_bps device_read_iops device_write_bps device_write_iops"
    " dns_opt environment extra_hosts labels sysctls",
    ("strings", "object"): "networks",
    ("entries",): "secrets",
    ("list",): "disks port_rules",
    ("object",): "health_check lb_config load_balancer_config logging metadata network_driver"
    " scale_policy stickiness_policy storage_driver ulimits upgrade_strategy",
    ("string", "object"): "build extends",
}
TYPES: dict[str, tuple[str, ...]] = {
    key: types for types, keys in _KEYS.items() for key in keys.split()
}

# Of those that may be numbers or text, the ones that are bytes, also with a unit.
# Source: docker/go-units, with which the CLI reads them.
_SIZES = ("mem_limit", "mem_reservation", "memswap_limit", "shm_size")
_SIZE = re.compile(r"\d+(\.\d+)? ?[kmgtp]?i?b?", re.IGNORECASE)

# Top-level keys that Rancher's CLI reads; it silently ignores all others.
TOP_LEVEL: frozenset[str] = frozenset(
    ["version", "services", "volumes", "networks", "secrets", "hosts", "containers"]
).union(["dependencies", "catalog", ".catalog"])

# Keys of newer compose formats, and what Rancher uses instead.
RENAMED = {
    "healthcheck": "remove it; Rancher's is health_check: in rancher-compose.yml, with other keys",
    "deploy": "remove it; scale: and the like are in rancher-compose.yml",
    "configs": "remove it, and mount a file of the stack with volumes:",
    "log_driver": "write logging: {driver: …} instead",
    "log_opt": "write logging: {options: …} instead",
    "platform": "remove it; the setting is build_platform in invoke.yaml",
    "profiles": "remove it, or make it a separate stack",
}

# Lists whose items newer formats write as mappings.
_SHORT_FORMS = ("ports", "volumes", "env_file")

_WANTED = {
    "string": "text (quote it)",
    "boolean": "true or false",
    "integer": "a whole number",
    "number": "a number",
    "strings": "a list of text values (quote them)",
    "words": "a list of text values (quote them)",
    "scalars": "a list of numbers or text values",
    "entries": "a list of names",
    "list": "a list",
    "pairs": "a mapping of single values",
    "object": "a mapping",
}


def nearest(key: str) -> str:
    """What to write instead of an unknown key."""
    if key in RENAMED:
        return RENAMED[key]
    near = difflib.get_close_matches(key, TYPES, n=1)
    return f"did you mean {near[0]}?" if near else "remove it"


def wanted(key: str, value: Any) -> str:
    """What the value of a known key must be; empty if it is that."""
    types = TYPES[key]
    if isinstance(value, list) and key in _SHORT_FORMS:
        # An item that is no text has a finding of its own.
        value = [item for item in value if isinstance(item, (str, int, float))]
    if key in _SIZES and isinstance(value, str) and "$" not in value:
        return "" if _SIZE.fullmatch(value) else "a number of bytes, or a size such as 512m"
    if any(_is(value, type_) for type_ in types):
        return ""
    return " or ".join(_WANTED[type_] for type_ in types if type_ in _WANTED)


def repeated(key: str, value: Any) -> list[tuple[int, int]]:
    """The items of a known key's list that repeat an earlier one, where Rancher's client refuses
    that: their number, and that of the first such item. A number is no repetition of a text."""
    if not isinstance(value, list) or not {"strings", "scalars"} & set(TYPES[key]):
        return []
    first: dict[str | float, int] = {}
    single = [(i, item) for i, item in enumerate(value) if isinstance(item, (str, int, float))]
    numbered = [(i, first.setdefault(item, i)) for i, item in single]
    return [(i, at) for i, at in numbered if i != at]


def _is(value: Any, type_: str) -> bool:
    if type_ in _PLAIN:
        # bool is a kind of int in Python.
        return isinstance(value, _PLAIN[type_]) and isinstance(value, bool) is (type_ == "boolean")
    if type_ == "pairs":
        single = isinstance(value, dict)
        return single and not any(isinstance(item, (list, dict)) for item in value.values())
    return isinstance(value, list) and all(_is_item(item, type_) for item in value)


def _is_item(item: Any, type_: str) -> bool:
    """Of a list."""
    return type_ == "list" or (isinstance(item, _ITEMS[type_]) and not isinstance(item, bool))


_PLAIN: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "null": (type(None),),
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
    "object": (dict,),
}
# A secret may also be written as a mapping.
_ITEMS: dict[str, tuple[type, ...]] = {
    "strings": (str,),
    "words": (str,),
    "scalars": (int, float, str),
    "entries": (str, dict),
}


# Keys of a service that Rancher 1 added to the compose format, and those whose objects exist
# at Rancher only. Source: rancher/rancher-compose, "Rancher Compose options"; the keys of
# libcompose's ServiceConfig in rancher/cli 0.6.
RANCHER_ONLY = frozenset(
    (
        *("certs", "default_cert", "disks", "drain_timeout_ms", "external_ips", "health_check"),
        *("lb_config", "load_balancer_config", "memory", "metadata", "milli_cpu_reservation"),
        *("network_driver", "retain_ip", "scale", "scale_policy", "secrets", "stickiness_policy"),
        *("start_on_create", "storage_driver", "type", "upgrade_strategy", "userdata", "vcpu"),
        "volume_driver",
    )
)
LABELS = "io.rancher."
