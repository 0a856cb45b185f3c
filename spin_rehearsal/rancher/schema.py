"""Which keys a service may have, and of what type; the messages are the client's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .failure import Failure
from .govalue import type_name

_STRING = ("string",)
_BOOLEAN = ("boolean",)
_NUMBER = ("number",)
_NUMBER_OR_STRING = ("number", "string")
_STRINGS = ("strings",)
_SCALARS = ("scalars",)
_STRING_OR_STRINGS = ("string", "strings")
_STRINGS_OR_OBJECT = ("strings", "object")
_OBJECT = ("object",)
_ANYTHING = ("string", "number", "boolean", "scalars", "array", "object", "null")

_KEYS: dict[tuple[str, ...], str] = {
    _STRING: "cgroup_parent container_name cpuset domainname hostname image ipc log_driver"
    " mac_address network_mode pid restart stop_signal uts user volume_driver working_dir"
    " type default_cert isolation",
    _BOOLEAN: "privileged read_only stdin_open tty retain_ip start_on_create oom_kill_disable init",
    _NUMBER: "scale oom_score_adj milli_cpu_reservation drain_timeout_ms",
    _NUMBER_OR_STRING: "cpu_shares cpu_quota cpu_period cpu_count mem_limit mem_reservation"
    " mem_swappiness memswap_limit shm_size stop_grace_period",
    _STRINGS: "cap_add cap_drop devices external_links links security_opt volumes volumes_from"
    " external_ips certs",
    _SCALARS: "expose group_add ports",
    _STRING_OR_STRINGS: "command dns dns_opt dns_search entrypoint env_file tmpfs",
    _STRINGS_OR_OBJECT: "depends_on environment extra_hosts labels networks sysctls secrets",
    _OBJECT: "health_check lb_config log_opt logging metadata network_driver scale_policy"
    " service_schemas storage_driver ulimits upgrade_strategy",
    _ANYTHING: "build extends",
}
_TYPES = {key: types for types, keys in _KEYS.items() for key in keys.split()}
# Objects with names and values in them, and nothing deeper.
_PAIRS = ("environment", "labels", "extra_hosts", "sysctls")
_NAMED = {
    "string": "a string",
    "number": "a number",
    "boolean": "a boolean",
    "strings": "an array",
    "scalars": "an array",
    "object": "an object",
}


def check_service(name: str, service: Mapping[str, Any]) -> None:
    """Raise Failure for the first key that is unknown or of a wrong type."""
    for key, value in service.items():
        _check_names(value)
        types = _TYPES.get(key)
        if types is None:
            raise Failure(f"Unsupported config option for {name} service: '{key}'")
        if value is not None and not any(_is(key, value, type_) for type_ in types):
            raise Failure(_wrong_type(name, key, value, types))


def _check_names(value: Any) -> None:
    """Raise Failure for a key that is not text: there the client itself breaks off."""
    if isinstance(value, dict):
        for name, item in value.items():
            if not isinstance(name, str):
                kind = "nil" if name is None else type_name(name)
                raise Failure(f"interface conversion: interface {{}} is {kind}, not string")
            _check_names(item)
    for item in value if isinstance(value, list) else ():
        _check_names(item)


def _is(key: str, value: Any, type_: str) -> bool:
    if type_ == "string":
        return isinstance(value, str)
    if type_ == "boolean":
        return isinstance(value, bool)
    if type_ == "number":
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    if type_ == "strings":
        # A secret may also be written as an object.
        allowed = (str, dict) if key == "secrets" else (str,)
        return isinstance(value, list) and all(isinstance(item, allowed) for item in value)
    if type_ == "scalars":
        return isinstance(value, list) and not any(
            isinstance(item, (bool, list, dict)) for item in value
        )
    if type_ == "array":
        return isinstance(value, list)
    if key in _PAIRS:
        return isinstance(value, dict) and not any(
            isinstance(item, (list, dict)) for item in value.values()
        )
    return isinstance(value, dict)


def _wrong_type(name: str, key: str, value: Any, types: tuple[str, ...]) -> str:
    if isinstance(value, list) and ("strings" in types or "scalars" in types):
        wanted = "a string"  # the list is right, something in it is not
    else:
        wanted = ", or ".join(_NAMED[type_] for type_ in types)
    return (
        f"Service '{name}' configuration key '{key}' contains an invalid type, "
        f"it should be {wanted}."
    )
