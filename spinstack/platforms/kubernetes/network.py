"""How a service is reached: its ports, the Service for the others, the Ingress for visitors."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from spinstack.config import goyaml
from spinstack.platforms.kubernetes.source import Source

# Seconds that a page may take: the controller's own 60 would end those that are made on demand.
# As `proxy_read_timeout` in the template's site.conf.
_LONGEST_PAGE = 600
# The annotations of the controller whose class is called so, or that has no other by its side.
_NGINX = ("nginx", "")


@dataclass(frozen=True)
class Listening:
    """A port that a container listens on."""

    number: int
    protocol: str = "TCP"

    @property
    def name(self) -> str:
        return f"{self.protocol.lower()}-{self.number}"


def listening(source: Source) -> list[Listening]:
    """The ports of a service that others may use: published ones first, then those under
    `expose:`, then that of its health check; each once."""
    found = [Listening(port, protocol.upper()) for port, protocol in source.service.listed_ports()]
    if source.setting.health:
        found.append(Listening(source.setting.health.port))
    return list(dict.fromkeys(found))


def container_ports(source: Source) -> list[dict[str, Any]]:
    """As a container lists them."""
    return [_port(it, "containerPort") for it in listening(source)]


def service_spec(source: Source) -> dict[str, Any] | None:
    """A Service with a fixed address; None for a service that listens on nothing."""
    ports = [_port(it, "port") for it in listening(source)]
    if not ports:
        return None
    return {"type": "ClusterIP", "selector": source.selector, "ports": ports}


def _port(it: Listening, key: str) -> dict[str, Any]:
    return {"name": it.name, key: it.number, "protocol": it.protocol}


def visitors(sources: list[Source]) -> tuple[Source, Listening] | None:
    """The service that visitors talk to, and its port; None if none publishes one."""
    for source in sources:
        for port in listening(source) if source.public else ():
            if port.protocol == "TCP":
                return source, port
    return None


def ingress_spec(source: Source, port: Listening) -> dict[str, Any]:
    """Everything under the site's name goes to one port of a service."""
    host = source.cluster.site(source.stack.name)
    backend = {"service": {"name": source.name, "port": {"number": port.number}}}
    paths = [{"path": "/", "pathType": "Prefix", "backend": backend}]
    spec: dict[str, Any] = {}
    if source.cluster.ingress_class:
        spec["ingressClassName"] = source.cluster.ingress_class
    if source.cluster.tls_secret:
        spec["tls"] = [{"hosts": [host], "secretName": source.cluster.tls_secret}]
    return {**spec, "rules": [{"host": host, "http": {"paths": paths}}]}


def ingress_annotations(source: Source) -> dict[str, str]:
    """What the controller has to be told besides."""
    if source.cluster.ingress_class not in _NGINX:
        return {}
    return {
        "nginx.ingress.kubernetes.io/proxy-read-timeout": str(_LONGEST_PAGE),
        # No limit but the stack's own (client_max_body_size): the controller's would be 1 MB.
        "nginx.ingress.kubernetes.io/proxy-body-size": "0",
    }


def host_aliases(source: Source) -> list[dict[str, Any]]:
    """Names and addresses under `extra_hosts:`."""
    found: dict[str, list[str]] = {}
    for name, address in extra_hosts(source.keys.get("extra_hosts")):
        found.setdefault(address, []).append(name)
    return [{"ip": address, "hostnames": names} for address, names in found.items()]


def extra_hosts(value: Any) -> Iterator[tuple[str, str]]:
    """Name and address of each, from a mapping or a list of `NAME:ADDRESS`."""
    if isinstance(value, dict):
        yield from ((str(name), _text(address)) for name, address in value.items())
    for item in value if isinstance(value, list) else ():
        name, _, address = _text(item).partition(":")
        yield name, address


def dns_config(source: Source) -> dict[str, Any]:
    """Name servers, search domains and options besides those of the cluster."""
    options = [text.partition(":") for text in _texts(source.keys.get("dns_opt"))]
    found = {
        "nameservers": _texts(source.keys.get("dns")),
        "searches": _texts(source.keys.get("dns_search")),
        "options": [
            {"name": name, "value": value} if colon else {"name": name}
            for name, colon, value in options
        ],
    }
    return {key: value for key, value in found.items() if value}


def _texts(value: Any) -> list[str]:
    items = value if isinstance(value, list) else [] if value is None else [value]
    return [_text(item) for item in items]


def _text(value: Any) -> str:
    return "" if value is None or isinstance(value, (list, dict)) else goyaml.shown(value)
