"""Secrets and claims of a stack: list, create, remove. A secret's value is never read back."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

from spinstack.platforms.base import Kept
from spinstack.platforms.kubernetes import labels
from spinstack.platforms.kubernetes.cluster.output import bare, rows, template
from spinstack.platforms.kubernetes.kubectl import FIELD_MANAGER, as_text, fed, kubectl
from spinstack.transport.command import Command, Raw, Secret
from spinstack.transport.script import Step

if TYPE_CHECKING:
    from spinstack.config.kubernetes import Cluster

_RESOURCES = {"secret": "secrets", "volume": "persistentvolumeclaims"}
_PART_OF = f"{{.metadata.labels.{labels.path(labels.PART_OF)}}}"
_COMMON = (
    *("{.metadata.name}", "{.metadata.creationTimestamp}", "{.metadata.deletionTimestamp}"),
    _PART_OF,
)
# Nothing of what is in a secret.
_ROWS = {
    "secret": template("kept", *_COMMON, "{.type}", ""),
    "volume": template("kept", *_COMMON, "{.status.phase}", "{.spec.storageClassName}"),
}
# Who uses claims: what runs, and what would run again after a `stop`. Each has one of the fields.
_USERS = "deployments.apps,pods"
_USED = template(
    "uses",
    "{.metadata.name}",
    f"{{.metadata.labels.{labels.path(labels.NAME)}}}",
    _PART_OF,
    "{.spec.volumes[*].persistentVolumeClaim.claimName}"
    "{.spec.template.spec.volumes[*].persistentVolumeClaim.claimName}",
)
# A line for each pod: when it is to end, if it is; a stroke; those that it mounts.
_POD = "jsonpath={range .items[*]}{.metadata.deletionTimestamp}|"
_MOUNTED = {
    "secret": f"{_POD}{{.spec.volumes[*].secret.secretName}} "
    '{.spec.volumes[*].projected.sources[*].secret.name}{"\\n"}{end}',
    "volume": f'{_POD}{{.spec.volumes[*].persistentVolumeClaim.claimName}}{{"\\n"}}{{end}}',
}
# What a claim is made with; few storage classes heed it.
_SIZE = "10Gi"


def list_step(cluster: Cluster, kind: str) -> Step:
    """All in the namespace; of claims also who uses them."""
    calls = [kubectl(cluster, "get", _RESOURCES[kind], "-o", _ROWS[kind])]
    if kind == "volume":
        calls.append(kubectl(cluster, "get", _USERS, "-o", _USED))
    return Step(f"{kind}s", tuple(calls))


def parse(output: str) -> list[Kept]:
    """By name, without those that are being removed. Raises Garbled."""
    lines = bare(output)
    ends = lines.index("end") + 1 if "end" in lines else len(lines)
    users = rows("\n".join(lines[ends:]), "uses", 4)
    found = []
    for name, created, leaving, stack, state, driver in rows("\n".join(lines[:ends]), "kept", 6):
        by = [(service or user, of) for user, service, of, used in users if name in used.split()]
        stack = stack or next((of for _, of in by if of), "")
        services = ", ".join(dict.fromkeys(user for user, _ in by))
        if not leaving:
            found.append(Kept(name, name, created, state, driver, stack, services))
    return sorted(found, key=lambda kept: kept.name)


def stack_of(kind: str, name: str) -> str:
    """The stack in the name of a secret such as `demo.password`, or of a volume such as `app.demo`;
    empty where the name does not tell it: `a.b.c` may be of the service a, or a file `b.c`."""
    parts = name.split(".")
    if len(parts) != 2:
        return ""
    return parts[0] if kind == "secret" else parts[1]


def _labels(kind: str, name: str) -> dict[str, str]:
    stack = stack_of(kind, name)
    return {labels.MANAGED_BY: labels.MANAGER, **({labels.PART_OF: stack} if stack else {})}


def create_secret_step(cluster: Cluster, name: str, value: bytes) -> Step:
    """Its only key is its own name. printf is a builtin of bash, so the value is in no process's
    arguments."""
    octal = Secret("".join(f"\\{byte:03o}" for byte in value))
    words = ("create", "secret", "generic", name, f"--from-file={name}=/dev/stdin")
    create = kubectl(cluster, *words, f"--field-manager={FIELD_MANAGER}")
    marks = [f"{key}={text}" for key, text in _labels("secret", name).items()]
    label = kubectl(cluster, "label", "secrets", name, *marks, f"--field-manager={FIELD_MANAGER}")
    commands = (Command("printf", octal, Raw("|"), *create.words), label)
    return Step("create the secret", commands, must=False)


def create_volume_step(cluster: Cluster, name: str, storage_class: str) -> Step:
    """A claim that several pods may write to."""
    spec: dict[str, Any] = {
        "accessModes": ["ReadWriteMany"],
        "resources": {"requests": {"storage": _SIZE}},
    }
    if storage_class:
        spec["storageClassName"] = storage_class
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": name, "labels": _labels("volume", name)},
        "spec": spec,
    }
    create = kubectl(cluster, "create", f"--field-manager={FIELD_MANAGER}", "-f", "-")
    return Step("create the volume", (fed(as_text([claim]), create),), must=False)


def remove_step(cluster: Cluster, kind: str, id: str) -> Step:
    """What a pod mounts is not removed: no other pod could start with it, and Kubernetes would let
    a claim and its data go as soon as the pod ends."""
    call = kubectl(cluster, "delete", _RESOURCES[kind], id, "--wait=false")
    return Step(f"remove the {kind}", (_unused(cluster, kind, id), call), must=False)


def _unused(cluster: Cluster, kind: str, id: str) -> Command:
    """Fails if a pod mounts it that is not about to end, or if that is not known."""
    listed = kubectl(cluster, "get", "pods", "-o", _MOUNTED[kind]).script()
    said = "echo 'error: pods mount it: remove it from the services, or stop them (`invoke stop`)'"
    staying = "printf '%s\\n' \"$mounted\" | sed -n 's/^|//p' | tr '\\n' ' '"
    word = shlex.quote(f" {id} ")
    return Command(
        Raw(f"{{ mounted=$({listed}) || {{ printf '%s\\n' \"$mounted\"; false; }}; }} &&"),
        Raw(f'case " $({staying}) " in *{word}*) {said}; false ;; esac'),
    )
