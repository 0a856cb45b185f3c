"""What the centre allows, as typed values read from `spin.yaml`.

Imports nothing beyond the standard library and PyYAML: the template's hook uses it with
whatever Python runs cookiecutter.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

# Whose rules: Spin's, and those of no centre in particular.
PROFILES = ("spin", "generic")


@dataclass(frozen=True)
class PortRange:
    """Ports from `first` to `last`, both included."""

    first: int
    last: int

    @classmethod
    def parse(cls, text: str | int) -> PortRange:
        """From `8080` or `60000-60050`. Raises ValueError for anything else."""
        first, _, last = str(text).partition("-")
        return cls(int(first), int(last or first))

    def __contains__(self, port: object) -> bool:
        return isinstance(port, int) and self.first <= port <= self.last

    def __str__(self) -> str:
        return str(self.first) if self.first == self.last else f"{self.first}-{self.last}"


@dataclass(frozen=True)
class SshProxy:
    """The program that gets a one-day key. `program`: its name; `key`: the private key that it
    writes; `page`, `path`: where the centre describes and offers it."""

    program: str
    key: str
    page: str
    path: str


@dataclass(frozen=True)
class KubernetesCluster:
    """A cluster of the centre: the context that its kubeconfig names, and the host name that it
    gives an ingress, with `{ingress}` and `{namespace}` in it; empty if it gives none."""

    context: str
    host: str = ""


@dataclass(frozen=True)
class FieldRule:
    """What a field of an object may be. `field`: names with dots between them, from the `spec` of
    the pod, or of the other object, on; those with `[]` are lists, of which each item is meant.
    `allowed`: the values that it may have; `stated`: whether it has to be there where what holds it
    is; `kind`: whose field it is, a pod's wherever the pod is made from."""

    field: str
    allowed: tuple[bool | int | str, ...]
    stated: bool = False
    kind: str = "Pod"

    @property
    def name(self) -> str:
        """As people are told it: `type` alone says little."""
        *_, holder, last = ["", *self.field.replace("[]", "").split(".")]
        return f"{holder}.{last}" if last == "type" and holder else last

    @property
    def remedy(self) -> str:
        if not self.allowed:
            return f"remove {self.name}"
        shown = (str(it).lower() if isinstance(it, bool) else str(it) for it in self.allowed)
        return f"write {self.name}: {' or '.join(shown)}"


@dataclass(frozen=True)
class KubernetesRules:
    """What the centre's Kubernetes has and allows. `kubeconfig`: where people get one, for
    messages; `name_within`: seconds until a new ingress's name is known; `trusted_proxies`:
    networks whose word on a visitor's address is taken, in CIDR notation; `host_paths`:
    directories below which hostPath may mount, empty: anywhere; `isolation`: what fields may be;
    `stamps`: prefixes of labels and annotations that its webhooks add. Of the texts, an empty one
    is the cluster's own default."""

    kubeconfig: str
    clusters: Mapping[str, KubernetesCluster]
    ingress_class: str
    name_within: int
    storage_class: str
    pull_secret: str
    trusted_proxies: tuple[str, ...]
    host_paths: tuple[str, ...]
    isolation: tuple[FieldRule, ...]
    stamps: tuple[str, ...]


@dataclass(frozen=True)
class Centre:
    """The rules of one centre as data; see `spin.yaml` for the meaning and source of each."""

    ports_world: tuple[PortRange, ...]
    ports_lab: tuple[PortRange, ...]
    ports_centre: tuple[PortRange, ...]
    ports_reserved: tuple[PortRange, ...]
    ports_inside: tuple[PortRange, ...]
    own_address: bool
    port_suggested: int
    service_names: tuple[str, ...]
    stack_pattern: str
    stack_longest: int
    names_shared: bool
    image_pattern: str
    floating_tags: tuple[str, ...]
    capabilities_with_global_mount: frozenset[str]
    capabilities_without_global_mount: frozenset[str]
    capabilities_always_dropped: bool
    root_allowed: bool
    global_file_system: bool
    releases_mounted: bool
    mountable: tuple[str, ...]
    unmountable: tuple[str, ...]
    written: tuple[str, ...]
    shallow: int
    forbidden_keys: Mapping[str, tuple[object, ...]]
    registries_own: tuple[str, ...]
    registries_official: tuple[str, ...]
    environments: tuple[str, ...]
    modules: tuple[str, ...]
    compose_version: str
    login_prompt: str
    sshproxy: SshProxy
    kubernetes: KubernetesRules

    @property
    def ports_open(self) -> tuple[PortRange, ...]:
        """Every port that a service may publish."""
        return self.ports_world + self.ports_lab + self.ports_centre


def _kubernetes(data: Mapping[str, Any]) -> KubernetesRules:
    clusters = data["clusters"] or {}
    return KubernetesRules(
        kubeconfig=data["kubeconfig"],
        clusters={name: KubernetesCluster(**values) for name, values in clusters.items()},
        ingress_class=data["ingress_class"],
        name_within=data["name_within"],
        storage_class=data["storage_class"],
        pull_secret=data["pull_secret"],
        trusted_proxies=tuple(data["trusted_proxies"]),
        host_paths=tuple(data["host_paths"]),
        isolation=tuple(_field_rule(**values) for values in data["isolation"]),
        stamps=tuple(data["stamps"]),
    )


def _field_rule(allowed: Iterable[bool | int | str], **values: Any) -> FieldRule:
    return FieldRule(allowed=tuple(allowed), **values)


def _ranges(texts: Iterable[str | int]) -> tuple[PortRange, ...]:
    return tuple(PortRange.parse(text) for text in texts)


@cache
def packaged(profile: str = "spin", platform: str = "") -> dict[str, Any]:
    """The data files of the package, as plain values: what is different on the platform, and then
    in the profile, over what Spin's own says."""
    data = _file("spin")
    for name in (platform, profile):
        if name in ("kubernetes", "generic"):
            data = merged(data, _file(name))
    return data


def _file(name: str) -> dict[str, Any]:
    text = Path(__file__).with_name(f"{name}.yaml").read_text(encoding="utf-8")
    # Libyaml's reader takes a tenth of the time, if PyYAML was built with it.
    data = yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    assert isinstance(data, dict)
    return data


def merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with the values of `over` on top, mappings merged key by key."""
    result = dict(base)
    for key, value in over.items():
        old = result.get(key)
        if isinstance(old, Mapping) and isinstance(value, Mapping):
            result[key] = merged(old, value)
        else:
            result[key] = value
    return result


def load(
    overrides: Mapping[str, Any] | None = None, profile: str = "spin", platform: str = ""
) -> Centre:
    """The rules of a profile, one of PROFILES, on a platform, with the overrides of a stack's
    `invoke.yaml` (same shape as `spin.yaml`). Raises ValueError or KeyError for overrides of a
    wrong shape."""
    data = merged(packaged(profile, platform), overrides or {})
    ports, names, caps = data["ports"], data["names"], data["capabilities"]
    kubernetes = _kubernetes(data["kubernetes"])
    mountable = tuple(data["storage"]["mountable"])
    if platform == "kubernetes":
        mountable = kubernetes.host_paths or ("/",)
    return Centre(
        ports_world=_ranges(ports["world"]),
        ports_lab=_ranges(ports["lab"]),
        ports_centre=_ranges(ports["centre"]),
        ports_reserved=_ranges(ports["reserved"]),
        ports_inside=_ranges(ports["inside"]),
        own_address=bool(ports["own_address"]),
        port_suggested=int(ports["suggested"]),
        service_names=tuple(names["services"]),
        stack_pattern=names["stack_pattern"],
        stack_longest=int(names["stack_longest"]),
        names_shared=bool(names["shared"]),
        image_pattern=names["image_pattern"],
        floating_tags=tuple(names["floating_tags"]),
        capabilities_with_global_mount=frozenset(caps["with_global_mount"]),
        capabilities_without_global_mount=frozenset(caps["without_global_mount"]),
        capabilities_always_dropped=bool(caps["always_dropped"]),
        root_allowed=bool(data["users"]["root"]),
        global_file_system=bool(data["storage"]["global"]),
        releases_mounted=bool(data["storage"]["releases"]),
        mountable=mountable,
        unmountable=tuple(data["storage"]["unmountable"]),
        written=tuple(data["storage"]["written"]),
        shallow=int(data["storage"]["shallow"]),
        forbidden_keys={key: tuple(values) for key, values in data["forbidden"].items()},
        registries_own=tuple(data["registries"]["own"]),
        registries_official=tuple(data["registries"]["official"]),
        environments=tuple(data["rancher"]["environments"]),
        modules=tuple(data["rancher"]["modules"]),
        compose_version=str(data["rancher"]["compose_version"]),
        login_prompt=data["login"]["prompt"],
        sshproxy=SshProxy(**data["login"]["sshproxy"]),
        kubernetes=kubernetes,
    )
