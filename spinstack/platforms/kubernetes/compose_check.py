"""Keys of the compose file that have no counterpart on Kubernetes: none is left out in silence."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from spinstack.config import compose_keys
from spinstack.config import services as config_services
from spinstack.config.compose import ComposeFile
from spinstack.platforms import compose_file
from spinstack.platforms.kubernetes import names
from spinstack.rules.finding import Finding, Severity

ADDITIONS = "kubernetes"
_PATCH = f"remove it, or write what you need as a patch in {ADDITIONS}/"

# Keys that become something, and those that say what holds on Kubernetes anyway: a service keeps
# its address (`retain_ip`), and volumes, networks and upgrades are the cluster's own.
_KNOWN = frozenset(
    (
        *("image", "build", "user", "group_add", "cap_add", "cap_drop", "read_only", "tmpfs"),
        *("volumes", "secrets", "environment", "env_file", "entrypoint", "command"),
        *("working_dir", "hostname", "extra_hosts", "dns", "dns_search", "dns_opt", "ports"),
        *("expose", "stdin_open", "tty", "stop_grace_period", "mem_limit", "mem_reservation"),
        *("cpu_quota", "cpu_period", "cpu_count", "cpu_shares", "milli_cpu_reservation"),
        *("shm_size", "health_check", "scale", "retain_ip", "upgrade_strategy"),
        *("volume_driver", "storage_driver", "network_driver"),
    )
)
# Values with which a key says what holds on Kubernetes anyway.
_HARMLESS: dict[str, tuple[Any, ...]] = {
    "privileged": (False,),
    "restart": ("always", "unless-stopped"),
    "network_mode": ("bridge", "managed"),
    "networks": (["default"],),
    "init": (False,),
    "start_on_create": (True,),
    "security_opt": (["no-new-privileges"], ["no-new-privileges:true"]),
    "type": ("service",),
    "oom_kill_disable": (False,),
}
# The others: without those of the first kind the service is another one, so nothing is deployed.
_ERRORS = {
    "privileged": "remove it: the centre's policies let no container out of its isolation",
    "network_mode": "remove it: every pod has an address of its own",
    "pid": "remove it: every pod has processes of its own",
    "ipc": "remove it: every pod has memory of its own",
    "uts": "remove it; hostname: sets the name",
    "devices": _PATCH,
    "security_opt": "remove it: no new privileges and the runtime's seccomp profile are always set",
    "volumes_from": "list the volumes of both services",
    "extends": "write out what it brings, or use a merge key (<<)",
    "external_links": "use the other service's full name, NAME.NAMESPACE.svc",
    "external_ips": "remove it: visitors come by the ingress",
    "lb_config": "remove the service: visitors come by the ingress",
    "type": "remove the service: visitors come by the ingress",
    "certs": "set tls_secret: below kubernetes: in invoke.yaml",
    "default_cert": "set tls_secret: below kubernetes: in invoke.yaml",
    "restart": "make it a Job in kubernetes/: what a Deployment starts is started again",
}
_WARNINGS = {
    "depends_on": "remove it, and let the program wait for what it needs: all start at once",
    "ulimits": "remove it: the node's own limits hold",
    "networks": "remove it: in a namespace all reach each other by their names",
    "stop_signal": "write STOPSIGNAL in the Dockerfile",
    "init": "start the program by an init such as tini in the image",
    "start_on_create": "remove it: a service is started when it is deployed",
    "container_name": "remove it: pods have names of their own",
    "logging": "remove it: the cluster keeps what containers print",
    "log_driver": "remove it: the cluster keeps what containers print",
    "log_opt": "remove it: the cluster keeps what containers print",
}
# Of newer compose formats: as on Rancher, which refuses them.
RENAMED = {
    "healthcheck": "use services: in invoke.yaml, with health: below the service's name",
    "deploy": "use services: in invoke.yaml, with scale: below the service's name",
    "configs": "mount a file of the stack with volumes:",
    "platform": "use build_platform in invoke.yaml",
    "profiles": "make it a separate stack",
    "pre_stop": "use services: in invoke.yaml, with stop: below the service's name",
}
_SECTIONS = ("version", "services", "volumes", "secrets", "catalog", ".catalog")


def findings(file: ComposeFile) -> Iterator[Finding]:
    """What Kubernetes would be told otherwise than it is written, or not at all."""
    yield from _sections(file)
    yield from compose_file.twice(file)
    yield from compose_file.services(file)
    yield from compose_file.once(_of_keys(file))


def _sections(file: ComposeFile) -> Iterator[Finding]:
    for key in map(str, file.data):
        if key not in {*_SECTIONS, "name"} and not key.startswith("x-"):
            problem = f"{key}: has no counterpart on Kubernetes and is ignored"
            yield Finding("compose-section", file.where(key), problem, "remove it", "warning")


def _of_keys(file: ComposeFile) -> Iterator[tuple[str, Finding]]:
    for name, key, value in compose_file.keys(file):
        for found in _key(file, name, key, value):
            yield key, found
    yield from compose_file.texts(file, "Kubernetes")


def _key(file: ComposeFile, name: str, key: str, value: Any) -> Iterator[Finding]:
    where = file.where("services", name, key)
    if key not in compose_keys.TYPES:
        problem = f"the key {key!r} of the service {name} is not one of format version 2"
        yield Finding("compose-key", where, problem, compose_keys.nearest(key, RENAMED))
        return
    wrong = list(compose_file.of_type(file, name, key, value))
    yield from wrong
    if wrong or value is None or value in _HARMLESS.get(key, ()):
        return
    if key in _LOOKED_INTO:
        yield from _LOOKED_INTO[key](file, name, key, value)
    elif key not in _KNOWN:
        problem = f"{key} of the service {name} has no counterpart on Kubernetes"
        severity: Severity = "error" if key in _ERRORS else "warning"
        remedy = _ERRORS.get(key) or _WARNINGS.get(key) or _PATCH
        yield Finding("kubernetes-key", where, problem, remedy, severity)


def _links(file: ComposeFile, name: str, key: str, value: Any) -> Iterator[Finding]:
    """Services find each other by their own names, linked or not."""
    for index, item in enumerate(value):
        service, _, alias = item.partition(":")
        if alias not in ("", service):
            where = file.where("services", name, key, str(index))
            problem = f"{name} finds no service by the name {alias} on Kubernetes"
            yield Finding("kubernetes-key", where, problem, f"use its own name, {service}")


def _labels(file: ComposeFile, name: str, key: str, value: Any) -> Iterator[Finding]:
    """Labels become annotations."""
    for label in config_services.pairs(value):
        where = file.where("services", name, key, label)
        if label.startswith(compose_keys.LABELS):
            problem = f"the label {label} of {name} is for Rancher and does nothing on Kubernetes"
            yield Finding("kubernetes-key", where, problem, _PATCH, "warning")
        elif not names.is_annotation(label):
            problem = f"the label {label} of {name} can't be an annotation on Kubernetes"
            remedy = "use letters, digits and - _ . with a domain and a / before them at most"
            yield Finding("kubernetes-key", where, problem, remedy, "warning")


_LOOKED_INTO: Mapping[str, Callable[[ComposeFile, str, str, Any], Iterator[Finding]]] = {
    "links": _links,
    "labels": _labels,
}
