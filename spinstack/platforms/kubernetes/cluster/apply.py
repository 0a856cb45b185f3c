"""Applies a stack's objects as a set, and removes those that it no longer has. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from spinstack.platforms.kubernetes import labels
from spinstack.platforms.kubernetes.cluster import differences, tree
from spinstack.platforms.kubernetes.cluster.output import items
from spinstack.platforms.kubernetes.kubectl import fed, kubectl
from spinstack.transport.command import Command, Raw, Secret
from spinstack.transport.script import Step

if TYPE_CHECKING:
    from spinstack.config.kubernetes import Cluster

# Seconds that a request may take; the server may be busy with the objects before.
_SECONDS = 30
# Of what may not be removed: only people can make it again, or what goes with it.
_KEPT = (
    *("PersistentVolumeClaim", "PersistentVolume", "Secret"),
    *("Namespace", "CustomResourceDefinition"),
)


@dataclass(frozen=True)
class Named:
    """An object of the namespace. `group`: of its kind's API, empty for the core."""

    group: str
    kind: str
    name: str


def dry_run_step(cluster: Cluster, text: str) -> Step:
    """Has the server judge the objects, admission policies included; changes nothing. Named as
    the step of a change in which the platform looks at the files."""
    return Step("render", (_apply(cluster, text, dry_run=True),))


def apply_step(cluster: Cluster, text: str) -> Step:
    return Step("apply", (_apply(cluster, text),))


def _apply(cluster: Cluster, text: str, *, dry_run: bool = False) -> Command:
    words = differences.apply_words(dry_run=dry_run)
    return fed(text, kubectl(cluster, *words, "-f", "-", seconds=_SECONDS))


def kustomize_step(cluster: Cluster, files: Mapping[str, bytes]) -> Step:
    """Prints what kustomize makes of a directory of files, which is removed again."""
    lines = ["( place=$(mktemp -d) || exit", "trap 'rm -rf \"$place\"' EXIT"]
    for name, data in files.items():
        path = f'"$place"/{shlex.quote(name)}'
        lines.append(f'mkdir -p "$(dirname {path})" || exit')
        lines.append(f"printf {_for_printf(data)} >{path} || exit")
    merge = kubectl(cluster, "kustomize", Raw('"$place"'))
    lines.append(f"{merge.script()} )")
    shown = f"<{len(files)} files for kustomize>"
    return Step("kustomize", (Command("eval", Secret("\n".join(lines), shown)),))


def _for_printf(data: bytes) -> str:
    """The words by which printf prints these bytes, also such as are no text."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        return shlex.quote("".join(f"\\{byte:03o}" for byte in data))
    return f"%s {shlex.quote(text)}"


def list_step(cluster: Cluster, stack: str) -> Step:
    """The stack's objects, of the kinds that may be removed."""
    words = ("get", ",".join(labels.KINDS), "-l", labels.of_stack(stack), "-o", "json")
    return Step("its objects", (kubectl(cluster, *words),))


def read_list(output: str) -> list[Named]:
    """From what that step printed. Raises Garbled."""
    return [named(one) for one in items(output)]


def superfluous(found: Iterable[Named], keep: Iterable[Named]) -> list[Named]:
    """The objects that are in none of those to keep."""
    kept = set(keep)
    return [one for one in dict.fromkeys(found) if one not in kept and one.kind not in _KEPT]


def named(found: Mapping[str, Any]) -> Named:
    """An object's name, from the object."""
    version, metadata = str(found.get("apiVersion", "")), found.get("metadata")
    group, slash, _ = version.partition("/")
    name = metadata.get("name") if isinstance(metadata, Mapping) else ""
    return Named(group if slash else "", str(found.get("kind", "")), str(name))


def objects(text: str) -> list[dict[str, Any]]:
    """The objects in manifests, to be read: others are given the same ones."""
    return [*_parsed(text)]


# Those of a change and of what ran before, each with and without digests.
@lru_cache(maxsize=4)
def _parsed(text: str) -> tuple[dict[str, Any], ...]:
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return tuple(one for one in yaml.load_all(text, loader) if isinstance(one, dict))


def inventory(text: str) -> list[Named]:
    """The names of the objects in manifests."""
    return [named(one) for one in objects(text)]


def images(text: str) -> Iterator[str]:
    """The images of the Deployments in manifests."""
    for one in objects(text):
        for container in containers(one):
            yield tree.text(container, "image")


def containers(found: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Those of an object that makes pods."""
    for key in ("initContainers", "containers"):
        yield from tree.items(found, "spec", "template", "spec", key)


def config_of(found: Iterable[Named]) -> Iterator[Named]:
    """The ConfigMaps among them."""
    return (one for one in found if one.kind == "ConfigMap")


def remove_step(cluster: Cluster, stack: str, old: Iterable[Named]) -> Step:
    """Removes objects, if they are ours."""
    commands = []
    for one in old:
        kind = f"{one.kind}.{one.group}" if one.group else one.kind
        words = ("-l", labels.of_stack(stack), "--field-selector", f"metadata.name={one.name}")
        commands.append(
            kubectl(cluster, "delete", kind, *words, "--ignore-not-found", "--wait=false")
        )
    return Step("remove what is no longer needed", tuple(commands))


def describe_step(cluster: Cluster, stack: str) -> Step:
    """Everything about the stack's objects, with their events, for people."""
    kinds = "deployments.apps,replicasets.apps,pods,services,ingresses.networking.k8s.io"
    selector = f"{labels.of_ours()},{labels.PART_OF}={stack}"
    return Step(
        "objects and events",
        (
            kubectl(cluster, "describe", kinds, "-l", selector),
            kubectl(cluster, "get", "events", "--sort-by=.lastTimestamp"),
        ),
        must=False,
    )
