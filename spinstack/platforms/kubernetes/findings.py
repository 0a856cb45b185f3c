"""What Kubernetes would refuse in a stack, or would understand otherwise than it is meant."""

from __future__ import annotations

from collections.abc import Iterator

from spinstack.config.kubernetes import NO_PROJECT_DIR
from spinstack.config.settings import Destination
from spinstack.config.stack import Stack
from spinstack.platforms.kubernetes import (
    compose_check,
    files,
    kustomize,
    names,
    network,
    source,
    volumes,
)
from spinstack.platforms.kubernetes.source import Source
from spinstack.rules.finding import Finding

# What Rancher 1 reads beside the compose file.
RANCHER_FILE = "rancher-compose.yml"


def findings(stack: Stack, destination: Destination) -> list[Finding]:
    """Everything that can be seen in the stack's files and settings."""
    if stack.compose.findings:
        return []
    found = list(compose_check.findings(stack.compose))
    found += _uid(stack, destination)
    found += _rancher(stack)
    services = source.described(stack, destination)
    for one in services:
        found += _names(one)
        found += _relative(one)
        found += _large(one)
    found += _visitors(services, destination)
    found += kustomize.findings(
        stack, destination.name, set(_generated(stack, services)), destination.centre
    )
    return found


def _generated(stack: Stack, services: list[Source]) -> Iterator[tuple[str, str]]:
    """Kinds and names of the objects that the stack becomes, but for those named by content."""
    yield "Ingress", stack.name
    for one in services:
        yield "Deployment", one.name
        yield "Service", one.name
        yield from (("PersistentVolumeClaim", mount.source) for mount in volumes.claimed(one))


def _rancher(stack: Stack) -> Iterator[Finding]:
    """Without what stands there, a container counts as well as soon as it runs."""
    if (stack.directory / RANCHER_FILE).is_file():
        problem = f"{RANCHER_FILE} is not read on Kubernetes: its health checks do not hold there"
        remedy = "write them under services: in invoke.yaml, as in APP: {health: {port: 5000, "
        remedy += "path: /healthz}}; `scale` stands there, too"
        yield Finding("kubernetes-probes", RANCHER_FILE, problem, remedy, "warning")


def _uid(stack: Stack, destination: Destination) -> Iterator[Finding]:
    if source.cluster_of(destination).uid is None and source.uses_uid(stack):
        problem = "${UID} in the compose file has no value: nobody logs in to a node that knows it"
        yield Finding("uid-unset", source.uid_place(destination), problem, source.UID_REMEDY)


_SERVICE = "lower-case letters, digits and hyphens, starting with a letter, 63 characters at most"
_NAME = "lower-case letters, digits, hyphens and dots, starting and ending with letter or digit"


def _names(one: Source) -> Iterator[Finding]:
    service = one.service
    if not names.is_service(one.name):
        problem = f"{one.name!r} can't be the name of a service on Kubernetes"
        yield Finding("kubernetes-name", service.where(""), problem, _SERVICE)
    for secret in volumes.secrets(one):
        if not names.is_subdomain(secret.name):
            problem = f"{secret.name!r} can't be the name of a secret on Kubernetes"
            yield Finding("kubernetes-name", service.where("secrets"), problem, _NAME)
    for mount in volumes.claimed(one):
        if not names.is_subdomain(mount.source):
            problem = f"{mount.source!r} can't be the name of a claim on Kubernetes"
            yield Finding("kubernetes-name", service.where("volumes"), problem, _NAME)
    for name in one.environment:
        if not names.is_variable(name):
            problem = f"{name!r} can't be the name of a variable on Kubernetes"
            yield Finding("kubernetes-name", service.where("environment"), problem, "rename it")
    host = one.keys.get("hostname")
    if isinstance(host, str) and host and not names.is_label(host):
        problem = f"{host!r} can't be the host name of a pod"
        yield Finding("kubernetes-name", service.where("hostname"), problem, _SERVICE)


def _relative(one: Source) -> Iterator[Finding]:
    """Directories that are relative to a project directory that there is none of."""
    for index, mount in enumerate(one.service.mounts):
        if mount.source.startswith(f"{NO_PROJECT_DIR}/"):
            path = mount.source.removeprefix(f"{NO_PROJECT_DIR}/")
            where = one.service.where_set(f"volumes.{index}")
            problem = f"the directory {path} is relative, and there is no project directory"
            remedy = "write its full path, or set project_dir: at the destination"
            yield Finding("path-relative", where, problem, remedy)


def _large(one: Source) -> Iterator[Finding]:
    size = sum(len(file.data) for file in files.of_service(one))
    if size > files.LARGEST:
        problem = f"the files that {one.name} mounts have {size} bytes; a ConfigMap may have "
        problem += f"{files.LARGEST}"
        remedy = "put them in the image, or mount a directory of the global file system"
        yield Finding("kubernetes-config", one.service.where("volumes"), problem, remedy)


def _visitors(services: list[Source], destination: Destination) -> Iterator[Finding]:
    """Ports that are published but that no visitor reaches."""
    reached = network.visitors(services)
    if reached and not reached[0].cluster.site(reached[0].stack.name):
        where = f"invoke.yaml, destination {destination.name}, kubernetes.ingress_host"
        problem = f"{reached[0].name} publishes a port, but the site has no name to be reached by"
        remedy = "set ingress_host: to its name; if it shall have none, write expose: not ports:"
        yield Finding("kubernetes-ports", where, problem, remedy, "warning")
    for one in services:
        for index, port in enumerate(one.service.ports):
            if reached and (one.name, port.inside) == (reached[0].name, str(reached[1].number)):
                continue
            problem = f"port {port.inside} of {one.name} is published, but visitors do not reach it"
            remedy = "write it under expose: instead: the ingress leads to one port of one service"
            where = one.service.where(f"ports.{index}")
            yield Finding("kubernetes-ports", where, problem, remedy, "warning")
