"""Whether a namespace's quota has room for the pods that a change needs at its peak. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from spinstack.platforms.kubernetes.cluster.output import items
from spinstack.platforms.kubernetes.cluster.tree import child, mapping, named, text
from spinstack.platforms.kubernetes.cluster.tree import items as listed
from spinstack.platforms.kubernetes.kubectl import kubectl
from spinstack.transport.script import Step

if TYPE_CHECKING:
    from spinstack.config.kubernetes import Cluster

# Source: kubernetes.io, "Quantity".
_QUANTITY = re.compile(r"([0-9]{1,18}(?:\.[0-9]{1,9})?)(n|u|m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?")
_POWERS = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY = {"Ki": 1, "Mi": 2, "Gi": 3, "Ti": 4, "Pi": 5, "Ei": 6}
# What a quota counts, by its other names.
_SAME = {"cpu": "requests.cpu", "memory": "requests.memory", "count/pods": "pods"}
_COUNTED = ("requests.cpu", "requests.memory", "limits.cpu", "limits.memory")


@dataclass(frozen=True)
class Quota:
    """`hard` and `used` as Kubernetes writes them, by what is counted."""

    name: str
    hard: Mapping[str, str]
    used: Mapping[str, str]


@dataclass(frozen=True)
class Room:
    """The quotas of a namespace. `defaults`: what a container gets that does not say it itself, by
    names such as `limits.cpu`."""

    quotas: tuple[Quota, ...] = ()
    defaults: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Shortage:
    """What a quota has too little of; `silent`: it wants to be told, and containers do not say."""

    quota: str
    what: str
    hard: str
    used: str
    wanted: Fraction
    silent: bool = False

    def __str__(self) -> str:
        if self.silent:
            return f"quota {self.quota}: containers must say {self.what}"
        more = _shown(self.wanted)
        return (
            f"quota {self.quota}: {self.what} {self.used} of {self.hard} used, {more} more wanted"
        )


def quota_step(cluster: Cluster) -> Step:
    words = ("get", "resourcequotas,limitranges", "-o", "json")
    return Step("quota", (kubectl(cluster, *words),), must=False)


def parse(output: str) -> Room:
    """Raises Garbled."""
    found = items(output)
    quotas = tuple(
        Quota(named(one), _texts(one, "status", "hard"), _texts(one, "status", "used"))
        for one in found
        # Those with a scope count some pods only, rarely ours.
        if text(one, "kind") == "ResourceQuota" and not child(one, "spec", "scopes")
    )
    defaults: dict[str, str] = {}
    for one in found:
        for limit in listed(one, "spec", "limits"):
            if text(limit, "type") == "Container":
                for key, word in (("defaultRequest", "requests"), ("default", "limits")):
                    told = _texts(limit, key)
                    defaults |= {f"{word}.{what}": value for what, value in told.items()}
    return Room(quotas, defaults)


def shortages(
    room: Room, pods: Sequence[Mapping[str, Any]], gone: Sequence[Mapping[str, Any]] = ()
) -> list[Shortage]:
    """What is missing for so many more pods, once those that are `gone` have left. Of both the
    specs, as in a Deployment's template."""
    wanted, silent = _sums(room, pods)
    freed, _ = _sums(room, gone)
    more = {what: amount - freed.get(what, 0) for what, amount in wanted.items()}
    return list(_missing(room.quotas, more, silent)) if pods else []


def _sums(room: Room, pods: Sequence[Mapping[str, Any]]) -> tuple[dict[str, Fraction], set[str]]:
    """What pods need together, and what some of their containers do not say."""
    wanted: dict[str, Fraction] = {"pods": Fraction(len(pods))}
    silent: set[str] = set()
    for pod in pods:
        for container in listed(pod, "containers"):
            for what in _COUNTED:
                amount = _amount(container, what, room.defaults)
                if amount is None:
                    silent.add(what)
                else:
                    wanted[what] = wanted.get(what, Fraction(0)) + amount
    return wanted, silent


def _missing(
    quotas: Iterable[Quota], wanted: Mapping[str, Fraction], silent: set[str]
) -> Iterable[Shortage]:
    for quota in quotas:
        for key, hard in quota.hard.items():
            what = _SAME.get(key, key)
            used = quota.used.get(key, "0")
            if what in silent:
                yield Shortage(quota.name, what, hard, used, Fraction(0), silent=True)
                continue
            limit, taken = quantity(hard), quantity(used)
            more = wanted.get(what, Fraction(0))
            if more > 0 and limit is not None and taken is not None and taken + more > limit:
                yield Shortage(quota.name, what, hard, used, more)


def _amount(
    container: Mapping[str, Any], what: str, defaults: Mapping[str, str]
) -> Fraction | None:
    """What a container asks for. A limit alone is a request, too."""
    word, _, resource = what.partition(".")
    told = [child(container, "resources", word, resource)]
    if word == "requests":
        told.append(child(container, "resources", "limits", resource))
    written = next((str(one) for one in told if one is not None), defaults.get(what, ""))
    return quantity(written)


def quantity(written: str) -> Fraction | None:
    """`500m`, `1Gi`, `2`; None for any other text."""
    match = _QUANTITY.fullmatch(written)
    if match is None:
        return None
    unit = match[2] or ""
    size = Fraction(1024) if unit in _BINARY else Fraction(10)
    power = _BINARY.get(unit, _POWERS.get(unit, 0))
    found = Fraction(match[1])
    for _ in range(abs(power)):
        found = found * size if power > 0 else found / size
    return found


def _shown(value: Fraction) -> str:
    for unit in ("Gi", "Mi", "Ki"):
        size = 1024 ** _BINARY[unit]
        if value >= size and (value / size).denominator == 1:
            return f"{value / size}{unit}"
    return str(value) if value.denominator == 1 else f"{value * 1000}m"


def _texts(value: Any, *keys: str) -> dict[str, str]:
    return {key: one for key, one in mapping(value, *keys).items() if isinstance(one, str)}
