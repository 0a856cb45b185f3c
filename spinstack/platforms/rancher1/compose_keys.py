"""The keys that Rancher's CLI knows in a compose file (v0.6.7, format version 2), as data.

Source: what the client itself accepts and refuses; the rehearsal's client has the same table
(a test holds the two together).
"""

from __future__ import annotations

import difflib
import re
from typing import Any

# What Rancher reads besides the compose file: health checks, scale.
FILE = "rancher-compose.yml"

# Types that a value may have → the keys of a service with such values.
_KEYS: dict[tuple[str, ...], str] = {
    ("string",): "cgroup_parent container_name cpuset domainname hostname image ipc log_driver"
    " mac_address network_mode pid restart stop_signal uts user volume_driver working_dir"
    " type default_cert isolation",
    ("boolean",): "privileged read_only stdin_open tty retain_ip start_on_create"
    " oom_kill_disable init",
    ("number",): "scale oom_score_adj milli_cpu_reservation drain_timeout_ms",
    ("number", "string"): "cpu_shares cpu_quota cpu_period cpu_count mem_limit mem_reservation"
    " mem_swappiness memswap_limit shm_size stop_grace_period",
    ("strings",): "cap_add cap_drop devices external_links links security_opt volumes"
    " volumes_from external_ips certs",
    ("scalars",): "expose group_add ports",
    ("string", "strings"): "command dns dns_opt dns_search entrypoint env_file tmpfs",
    ("strings", "object"): "depends_on environment extra_hosts labels networks sysctls secrets",
    ("object",): "health_check lb_config log_opt logging metadata network_driver scale_policy"
    " service_schemas storage_driver ulimits upgrade_strategy",
    ("anything",): "build extends",
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
    "platform": "remove it; the setting is build_platform in invoke.yaml",
    "profiles": "remove it, or make it a separate stack",
}

# Lists whose items newer formats write as mappings.
_SHORT_FORMS = ("ports", "volumes", "env_file")
# Mappings with names and values in them, and nothing deeper.
_PAIRS = ("environment", "labels", "extra_hosts", "sysctls")

_WANTED = {
    "string": "text (quote it)",
    "boolean": "true or false",
    "number": "a number",
    "strings": "a list of text values (quote them)",
    "scalars": "a list of numbers or text values",
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
    if value is None or any(_is(key, value, type_) for type_ in types):
        return ""
    return " or ".join(
        "a mapping of single values" if type_ == "object" and key in _PAIRS else _WANTED[type_]
        for type_ in types
    )


def _is(key: str, value: Any, type_: str) -> bool:
    if type_ == "anything":
        return True
    if type_ == "string":
        return isinstance(value, str)
    if type_ == "boolean":
        return isinstance(value, bool)
    if type_ == "number":
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    if type_ == "strings":
        # A secret may also be written as a mapping.
        allowed = (str, dict) if key == "secrets" else (str,)
        return isinstance(value, list) and all(isinstance(item, allowed) for item in value)
    if type_ == "scalars":
        return isinstance(value, list) and not any(
            isinstance(item, (bool, list, dict)) for item in value
        )
    if key in _PAIRS:
        return isinstance(value, dict) and not any(
            isinstance(item, (list, dict)) for item in value.values()
        )
    return isinstance(value, dict)


# Keys of a service that Rancher 1 added to the compose format, and those whose objects exist
# at Rancher only. Source: rancher/rancher-compose, "Rancher Compose options"; the keys of
# libcompose's ServiceConfig in rancher/cli 0.6.
RANCHER_ONLY = frozenset(
    (
        *("certs", "default_cert", "disks", "drain_timeout_ms", "external_ips", "health_check"),
        *("lb_config", "load_balancer_config", "memory", "metadata", "milli_cpu_reservation"),
        *("network_driver", "retain_ip", "scale", "scale_policy", "secrets", "service_schemas"),
        *("start_on_create", "storage_driver", "type", "upgrade_strategy", "userdata", "vcpu"),
        "volume_driver",
    )
)
LABELS = "io.rancher."
