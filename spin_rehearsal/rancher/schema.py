"""Which keys a service may have, and of what type; the messages are the client's (rancher 0.6.7,
format version 2)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .failure import Failure
from .govalue import shown, type_name

# Types that a value may have → the keys. Of `strings` and `scalars` each has to be another one.
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
_TYPES = {key: types for types, keys in _KEYS.items() for key in keys.split()}
# What the client suggests for some keys that it does not know.
_HINTS = {
    "cpu_share": "cpu_shares",
    "add_host": "extra_hosts",
    "hosts": "extra_hosts",
    "extra_host": "extra_hosts",
    "device": "devices",
    "link": "links",
    "memory_swap": "memswap_limit",
    "port": "ports",
    "privilege": "privileged",
    "priviliged": "privileged",
    "privilige": "privileged",
    "volume": "volumes",
    "workdir": "working_dir",
}
_SINGLE: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "null": (type(None),),
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
    "object": (dict,),
}
_ITEMS: dict[str, tuple[type, ...]] = {
    "strings": (str,),
    "words": (str,),
    "scalars": (int, float, str),
    # A secret may also be written as an object.
    "entries": (str, dict),
}
# Where the client's schema has alternatives, its words are others than for a single type.
_ALTERNATIVES = {
    ("string", "strings"): "a string or array",
    ("string", "words"): "a string or array",
    ("strings", "pairs"): "an array or object",
    ("strings", "object"): "an object",
    ("string", "object"): "a string or object",
}
_NAMED = {
    ("string",): "a string",
    ("string", "null"): "a string or null",
    ("boolean",): "a boolean",
    ("integer",): "an integer",
    ("number", "string"): "a number or string",
    ("object",): "an object",
}


def check_service(name: str, service: Mapping[str, Any]) -> None:
    """Raise Failure for the first key that is unknown, of a wrong type, or a list that has an item
    twice."""
    for key, value in service.items():
        _check_names(value)
        types = _TYPES.get(key)
        if types is None:
            hint = f" (did you mean '{_HINTS[key]}'?)" if key in _HINTS else ""
            raise Failure(f"Unsupported config option for {name} service: '{key}'{hint}")
        problem = ""
        if not any(_is(value, type_) for type_ in types):
            problem = _wrong_type(key, value, types)
        elif isinstance(value, list) and {"strings", "scalars"} & set(types):
            problem = _twice(key, value, types)
        if problem:
            raise Failure(f"Service '{name}' configuration key {problem}")


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


def _is(value: Any, type_: str) -> bool:
    if type_ in _SINGLE:
        return isinstance(value, _SINGLE[type_]) and isinstance(value, bool) is (type_ == "boolean")
    if type_ == "pairs":
        single = isinstance(value, dict)
        return single and not any(isinstance(item, (list, dict)) for item in value.values())
    return isinstance(value, list) and all(_is_item(item, type_) for item in value)


def _is_item(item: Any, type_: str) -> bool:
    return type_ == "list" or (isinstance(item, _ITEMS[type_]) and not isinstance(item, bool))


def _wrong_type(key: str, value: Any, types: tuple[str, ...]) -> str:
    listed = next((type_ for type_ in types if type_ in _ITEMS), "")
    if listed and isinstance(value, list):
        index, item = next((i, it) for i, it in enumerate(value) if not _is_item(it, listed))
        if types in _ALTERNATIVES or listed == "entries":
            at = key if types in _ALTERNATIVES else index
            return f"'{at}' contains {shown(item)}, which is an invalid type, it should be a string"
        wanted = "a string or number" if listed == "scalars" else "a string"
        return f"'{index}' contains an invalid type, it should be {wanted}."
    if types in _ALTERNATIVES:
        return f"'{key}' contains an invalid type, it should be {_ALTERNATIVES[types]}"
    return f"'{key}' contains an invalid type, it should be {_NAMED.get(types, 'an array')}."


def _twice(key: str, value: list[Any], types: tuple[str, ...]) -> str:
    if not any(item in value[:number] for number, item in enumerate(value)):
        return ""
    if types in _ALTERNATIVES:
        return f"'{key}' contains non unique items, please remove duplicates from {shown(value)}"
    return f"'{key}' value {shown(value)} has non-unique elements"
