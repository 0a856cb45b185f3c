"""Which cluster becomes a pretend Spin: one of this machine's own, never a centre's."""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from spinstack.errors import SpinstackError, UsageError
from spinstack.rules.centre import Centre
from spinstack.text import read_json
from spinstack.transport.command import Command
from spinstack.transport.runner import Runner

# Contexts that programs for a cluster on one's own machine write.
_OWN = re.compile(
    r"(kind|k3d)-.+|minikube|docker-desktop|rancher-desktop|colima(-.+)?|orbstack|k3s|microk8s"
)
# k3s writes this one into a kubeconfig of its own.
_K3S = "default"
_LOOKS_WITHIN = 20.0
_OTHER = "choose one with --context NAME"


@dataclass(frozen=True)
class Context:
    """A context, the kubeconfig that it is in, and the server's address."""

    name: str
    kubeconfig: str
    server: str

    @property
    def host(self) -> str:
        return urlsplit(self.server).hostname or ""

    @property
    def is_own(self) -> bool:
        """Whether it is a cluster of this machine by its name as well as by its address."""
        if self.name == _K3S:
            return self.is_here
        return _OWN.fullmatch(self.name) is not None and (self.is_here or self._is_private)

    @property
    def is_here(self) -> bool:
        """Whether the server's address is one of this machine."""
        if self.host == "localhost" or self.host.endswith((".localhost", ".docker.internal")):
            return True
        address = self._address
        return address is not None and (address.is_loopback or address.is_unspecified)

    @property
    def _is_private(self) -> bool:
        return self._address is not None and self._address.is_private

    @property
    def _address(self) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
        try:
            return ipaddress.ip_address(self.host)
        except ValueError:
            return None


def kubeconfigs() -> list[str]:
    """The files that kubectl would read."""
    named = [path for path in os.environ.get("KUBECONFIG", "").split(os.pathsep) if path]
    return named or [str(Path.home() / ".kube" / "config")]


def contexts(runner: Runner, files: Iterable[str]) -> list[Context]:
    """Those of some kubeconfigs; the first one of a name counts. Raises SpinstackError without
    kubectl, or for a file that is no kubeconfig."""
    found: dict[str, Context] = {}
    for path in files:
        if Path(path).exists():
            for one in _of_file(runner, path):
                found.setdefault(one.name, one)
    return list(found.values())


def _of_file(runner: Runner, path: str) -> Iterator[Context]:
    command = Command("kubectl", "--kubeconfig", path, "config", "view", "-o", "json")
    result = runner.run(command, timeout=_LOOKS_WITHIN, changes=False)
    try:
        told = read_json(result.stdout)
        servers = {one["name"]: one["cluster"]["server"] for one in told["clusters"] or ()}
        for one in told["contexts"] or ():
            server = servers.get(one["context"]["cluster"], "")
            yield Context(one["name"], path, server)
    except (ValueError, LookupError, TypeError):
        raise SpinstackError(
            "the kubeconfig can't be read",
            where=path,
            remedy="fix it, or name another one in the variable KUBECONFIG",
            details=result.stderr.strip(),
        ) from None


def choose(known: list[Context], name: str, centre: Centre) -> tuple[Context, bool]:
    """The context with this name, or the only one of a cluster on this machine; and whether a
    person has to confirm it. Raises UsageError if there is none, or it is the centre's."""
    if not name:
        return _only_one([one for one in known if one.is_own]), False
    one = next((one for one in known if one.name == name), None)
    if one is None:
        raise UsageError(
            f"there is no context {name!r}",
            where=", ".join(kubeconfigs()),
            remedy=f"use one of {', '.join(it.name for it in known) or 'none'}",
        )
    if one.host.endswith(tuple(f".{domain}" for domain in domains(centre))):
        raise UsageError(
            f"{name} is a cluster of the centre",
            where=one.server,
            remedy="a rehearsal needs a cluster of your own, such as kind, k3d or minikube make",
        )
    return one, not (one.is_here or one.is_own)


def domains(centre: Centre) -> set[str]:
    """The centre's, as its registries and the names of its sites tell them."""
    hosts = [cluster.host for cluster in centre.kubernetes.clusters.values()]
    names = (*hosts, *centre.registries_own)
    return {".".join(name.split(".")[-2:]) for name in names if "." in name}


def _only_one(own: list[Context]) -> Context:
    if not own:
        raise UsageError(
            "no cluster at hand: no context is one of kind, k3d, minikube, k3s or Docker Desktop",
            where=", ".join(kubeconfigs()),
            remedy=f"make one (`kind create cluster`, `k3d cluster create`), or {_OTHER}",
        )
    if len(own) > 1:
        names = ", ".join(one.name for one in own)
        raise UsageError(f"several clusters are at hand: {names}", remedy=_OTHER)
    return own[0]
