"""Who listens where: nginx's configuration, uWSGI's ini, published ports and health checks agree.

What a service listens on is read from the files of its image or from files that it mounts; if
that can't be seen, there is no finding.
"""

from __future__ import annotations

import configparser
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from spinstack.checks import dockerfile, nginx_conf, nginx_files
from spinstack.checks.nginx_conf import HTTP, PASSES, UWSGI, Directive, Target
from spinstack.config.settings import Settings
from spinstack.config.stack import Stack
from spinstack.platforms.base import HealthCheck
from spinstack.rules import names
from spinstack.rules.centre import Centre
from spinstack.rules.finding import Finding, Severity
from spinstack.rules.service import Service

# uWSGI's options that open a port, and what is spoken there.
_SOCKETS = {
    **dict.fromkeys(("http-socket", "http11-socket", "http", "https"), HTTP),
    **dict.fromkeys(("socket", "uwsgi-socket"), UWSGI),
}


@dataclass
class Listener:
    """A service, the ports that it is known to listen on with what is spoken there (empty: not
    known), and the nginx files that it reads. `reached`: those of its ports that others reach, None
    if they reach all."""

    service: Service
    ports: dict[str, str] = field(default_factory=dict)
    context: Path | None = None
    reached: set[str] | None = None
    confs: dict[str, list[Directive]] = field(default_factory=dict)

    def speaking(self, protocol: str) -> list[str]:
        """The ports for a protocol (empty: any)."""
        wanted = ("", protocol) if protocol else ("", HTTP, UWSGI)
        return sorted(port for port, spoken in self.ports.items() if spoken in wanted)


def findings(
    settings: Settings,
    stack: Stack,
    services: list[Service],
    checks: Mapping[str, HealthCheck] | None,
    centre: Centre,
) -> list[Finding]:
    """Everything that the stack's files say about ports. `checks`: the services' health checks,
    None if they are not known."""
    listeners, found = {}, []
    for service in services:
        listeners[service.name], unreadable = _listener(settings, stack, service)
        found += unreadable
        if centre.own_address:
            check = checks.get(service.name) if checks else None
            listed = {str(number) for number, _ in service.listed_ports()}
            listeners[service.name].reached = listed | ({check.port} if check else set())
    for listener in listeners.values():
        found += _published(listener, centre)
        found += _upstreams(settings, listener, listeners)
    found += _health_checks(checks, listeners, centre) if checks is not None else []
    return found


def _listener(settings: Settings, stack: Stack, service: Service) -> tuple[Listener, list[Finding]]:
    read = nginx_files.read(settings, stack, service)
    context = nginx_files.context(settings, stack, service)
    listener = Listener(service, context=context, confs=read.confs)
    found = [*read.findings, *_directives(settings, listener)]
    for conf in listener.confs.values():
        for directive in nginx_conf.everywhere(conf):
            if directive.name == "listen" and _opens_port(directive):
                port = directive.arguments[0].rpartition(":")[2]
                # An address without a port: nginx uses 80.
                listener.ports[port if port.isdigit() else "80"] = ""
    if listener.context and not listener.confs:
        listener.ports.update(_uwsgi_ports(listener))
    return listener, found


def _directives(settings: Settings, listener: Listener) -> Iterator[Finding]:
    """What nginx would reject without looking at arguments. Another version of nginx than the one
    whose directives are known may have more: then it is only a warning."""
    version = nginx_conf.known().version
    bases = [
        reference
        for image in settings.images
        if (settings.directory / image.context).resolve() == listener.context
        for _, reference in dockerfile.bases(settings, image)
    ]
    # In any of the files: it may have directives that stand in another.
    loads = any(it.name == "load_module" for conf in listener.confs.values() for it in conf)
    is_known = any(re.search(rf"nginx:{re.escape(version)}\b", base) for base in bases)
    for name, conf in listener.confs.items():
        for directive, fix in nginx_conf.wrong_braces(conf):
            problem = f"the braces of {directive.name} are wrong"
            yield Finding("nginx-syntax", f"{name}:{directive.line}", problem, fix)
        for directive, near in () if loads else nginx_conf.unknown(conf):
            problem = f"nginx {version} has no directive {directive.name}"
            remedy = f"change it to {near}" if near else "remove it with all that belongs to it"
            severity: Severity = "error" if is_known else "warning"
            where = f"{name}:{directive.line}"
            yield Finding("nginx-directive", where, problem, remedy, severity)


def _opens_port(directive: Directive) -> bool:
    """Whether it is a `listen` on a port or an address; `unix:…` is a socket in the container."""
    return bool(directive.arguments) and not directive.arguments[0].startswith("unix:")


def _uwsgi_ports(listener: Listener) -> dict[str, str]:
    assert listener.context
    ports = {}
    for path in sorted(listener.context.glob("*.ini")):
        ini = configparser.ConfigParser(strict=False, interpolation=None, allow_no_value=True)
        try:
            ini.read_string(_text(path))
        except configparser.Error:
            continue
        section = ini["uwsgi"] if ini.has_section("uwsgi") else {}
        for option, spoken in _SOCKETS.items():
            match = re.search(r":(\d+)$", str(section.get(option) or ""))
            if match:
                # `protocol` can make any of it a port of `socket`.
                ports[match[1]] = "" if "protocol" in section else spoken
    return ports


def _published(listener: Listener, centre: Centre) -> Iterator[Finding]:
    service = listener.service
    for index, port in enumerate(service.ports):
        if listener.ports and port.inside not in listener.ports:
            there = ", ".join(sorted(listener.ports))
            problem = f"port {port.inside} of {service.name} is published, but it listens on "
            problem += there
            remedy = _write_or_listen("", sorted(listener.ports), port.inside, centre)
            yield Finding("port-listen", service.where(f"ports.{index}"), problem, remedy)


def _upstreams(
    settings: Settings, listener: Listener, listeners: Mapping[str, Listener]
) -> Iterator[Finding]:
    own_names = {
        directive.arguments[0]
        for conf in listener.confs.values()
        for directive in nginx_conf.everywhere(conf)
        if directive.name == "upstream" and directive.arguments
    }
    for name, conf in listener.confs.items():
        for target in _targets(settings, listener, name, conf):
            host = target.host
            if host in own_names or "$" in host or host in ("localhost", "127.0.0.1", "unix"):
                continue
            yield from _target(target, listeners, listener.service.name)


def _target(target: Target, listeners: Mapping[str, Listener], own: str) -> Iterator[Finding]:
    host, port = target.host, target.port
    if host.startswith("[") or ("." in host and not host.replace(".", "").isdigit()):
        return  # somewhere in the world
    if host not in listeners:
        problem = f"nginx forwards to {host or 'no host'}, which is not a service of the stack"
        others = [name for name in listeners if name != own]
        remedy = f"write {' or '.join(others) or 'a service of the stack'} instead"
        yield Finding("nginx-upstream", target.host_at, problem, remedy)
        return
    ports, wanted = listeners[host].ports, listeners[host].speaking(target.protocol)
    if not ports or port in wanted:
        yield from _closed(listeners[host], port)
        return
    there = ", ".join(sorted(ports))
    problem = f"nginx forwards to port {port} of {host}, which listens on {there}"
    if port in ports:
        problem = f"nginx speaks {target.protocol} to port {port} of {host}, "
        problem += f"which is for {ports[port]}"
    remedy = f"forward to port {' or '.join(wanted)}" if wanted else ""
    if not wanted:
        other = "uwsgi_pass" if target.protocol == HTTP else "proxy_pass"
        remedy = f"use {other}, with port {there}"
    yield Finding("nginx-upstream", target.port_at, problem, remedy)


def _closed(listener: Listener, port: str) -> Iterator[Finding]:
    """Where each service has an address of its own, only the listed ports are open there."""
    if listener.reached is not None and port not in listener.reached:
        service = listener.service
        problem = f"nginx forwards to port {port} of {service.name}, which is not open to others"
        remedy = f"add '{port}' to expose: of {service.name}"
        yield Finding("port-closed", service.where("expose"), problem, remedy)


def _targets(
    settings: Settings, listener: Listener, name: str, conf: list[Directive]
) -> Iterator[Target]:
    """Where nginx sends requests."""
    passes = nginx_conf.passes(listener.confs.values())
    for directive in nginx_conf.everywhere(conf):
        if not directive.arguments:
            continue
        first = directive.arguments[0]
        if directive.name == "upstream":
            protocol = passes.get(first, "")
            for inner in directive.block or []:
                if inner.name == "server" and inner.arguments:
                    yield nginx_conf.target(f"{name}:{inner.line}", inner.arguments[0], protocol)
                elif inner.name == "include" and inner.arguments:
                    yield from _by_script(settings, listener, inner.arguments[0], protocol)
        elif directive.name in PASSES:
            yield nginx_conf.target(f"{name}:{directive.line}", first, PASSES[directive.name])


def _by_script(
    settings: Settings, listener: Listener, included: str, protocol: str
) -> Iterator[Target]:
    """How the template does it: a script of the image writes the upstream's server into a file
    that nginx includes; its `service=` and `port=` say where that is."""
    for path in sorted(listener.context.glob("*.sh")) if listener.context else []:
        text = _text(path)
        if included not in text:
            continue
        service = re.search(r"^service=([\w.-]+)\s*$", text, re.MULTILINE)
        port = re.search(r"^port=(\d+)\s*$", text, re.MULTILINE)
        if service and port:
            name = path.relative_to(settings.directory.resolve()).as_posix()
            at = [f"{name}:{text.count(chr(10), 0, it.start()) + 1}" for it in (service, port)]
            yield Target(service[1], port[1], protocol, *at)


def _health_checks(
    checks: Mapping[str, HealthCheck], listeners: Mapping[str, Listener], centre: Centre
) -> Iterator[Finding]:
    """Whether each service has a health check, on a port that it listens on."""
    for name, listener in listeners.items():
        check = checks[name]
        spoken = HTTP if check.request else ""
        published = sorted(port.inside for port in listener.service.ports)
        right = listener.speaking(spoken) if listener.ports else published
        if not check.port:
            problem = f"service {name} has no health check: nobody will notice when it is broken"
            remedy = f"add {name}: {{health: {{port: …, path: …}}}} to services: in invoke.yaml"
            yield Finding("health-check", check.where, problem, remedy, "warning")
        elif (right or listener.ports) and check.port not in right:
            there = ", ".join(sorted(listener.ports) or right)
            problem = f"the health check asks port {check.port}, but {name} listens on {there}"
            if check.port in listener.ports:
                problem = f"the health check speaks HTTP to port {check.port} of {name}, "
                problem += f"which is for {listener.ports[check.port]}"
            remedy = _write_or_listen("port: ", right, check.port, centre, spoken)
            yield Finding("health-port", check.where, problem, remedy)


def _write_or_listen(
    before: str, ports: list[str], port: str, centre: Centre, spoken: str = ""
) -> str:
    """What agrees with the ports that are listened on, and what makes them agree; without those
    that are not allowed inside a container."""
    allowed = [port for port in ports if not names.inside_port(port, centre)]
    ways = [f"write {before}{' or '.join(allowed)} here"] if allowed else []
    if not names.inside_port(port, centre):
        ways.append(f"let it listen{f' for {spoken}' if spoken else ''} on {port}")
    return ", or ".join(ways) or f"let both be {names.listed(centre.ports_inside)}"


def _text(path: Path) -> str:
    try:
        # Opening a FIFO would wait for ever.
        return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
    except OSError:
        return ""
