"""What kubectl prints of a small stack, made from a few words; and a kubectl that prints it."""

from __future__ import annotations

import json
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from spinstack.config.kubernetes import Cluster
from spinstack.platforms.kubernetes import labels

CLUSTER = Cluster(
    context="dev",
    namespace="demo",
    kubeconfig="~/.kube/config",
    on_laptop=True,
    uid=1000,
    ingress_class="nginx",
    host="{ingress}.demo.example.org",
    tls_secret="",
    storage_class="fast",
    pull_secret="",
)
MADE = "2026-11-22T16:00:00Z"

# Prints the file that is named like the resources that it is asked for.
PROGRAM = """\
#!/bin/bash
for word; do
    if [ "$word" = get ]; then found=yes; elif [ "$found" ]; then what=$word; break; fi
done
cat "$HOME/printed/$what" 2>/dev/null
"""


def marks(stack: str, service: str) -> dict[str, str]:
    found = {labels.PART_OF: stack, labels.MANAGED_BY: labels.MANAGER}
    return {**found, labels.NAME: service} if service else found


def meta(name: str, stack: str, service: str, **more: Any) -> dict[str, Any]:
    found = {"name": name, "namespace": "demo", "labels": marks(stack, service)}
    return {**found, "creationTimestamp": MADE, **more}


def condition(kind: str, status: str, reason: str = "", message: str = "") -> dict[str, str]:
    told = {"type": kind, "status": status, "lastTransitionTime": MADE}
    return {**told, "reason": reason, "message": message}


def deployment(
    service: str, *, stack: str = "demo", replicas: int = 1, ready: int = 1, **more: Any
) -> dict[str, Any]:
    """`more`: `conditions`, `status`, `metadata`, `probe`, merged into what a healthy one has."""
    rolled = condition(
        "Progressing",
        "True",
        "NewReplicaSetAvailable",
        f'ReplicaSet "{service}-1" has successfully progressed.',
    )
    counted = ("replicas", "updatedReplicas")
    status: dict[str, Any] = {
        "observedGeneration": 1,
        **{key: replicas for key in counted if replicas},
        **{key: ready for key in ("readyReplicas", "availableReplicas") if ready},
        "conditions": more.get("conditions", [rolled]),
        **more.get("status", {}),
    }
    container: dict[str, Any] = {
        "name": service,
        "image": f"registry.spin.nersc.gov/alice/{service}:1.0",
    }
    if more.get("probe", True):
        container["readinessProbe"] = {"httpGet": {"path": "/", "port": 8080}}
    told = meta(service, stack, service, **{"generation": 1, **more.get("metadata", {})})
    template = {"spec": {"containers": [container]}}
    return {
        "kind": "Deployment",
        "metadata": told,
        "spec": {"replicas": replicas, "template": template},
        "status": status,
    }


def pod(service: str, name: str = "", *, stack: str = "demo", **more: Any) -> dict[str, Any]:
    """`more`: `status` of its container, `conditions` and `phase` of the pod, `metadata`."""
    told = more.get("status", {"state": {"running": {"startedAt": MADE}}, "ready": True})
    ready = "True" if told.get("ready") else "False"
    conditions = more.get("conditions", [condition("Ready", ready)])
    owner = [{"kind": "ReplicaSet", "name": more.get("of", f"{service}-1")}]
    status = {"name": service, "restartCount": 0, "started": True, **told}
    name = name or f"{service}-1-abcde"
    return {
        "kind": "Pod",
        "metadata": meta(name, stack, service, ownerReferences=owner, **more.get("metadata", {})),
        "spec": {"containers": [{"name": service, "image": f"registry/{service}:1.0"}]},
        "status": {
            "phase": more.get("phase", "Running"),
            "startTime": MADE,
            "conditions": [condition("PodScheduled", "True"), *conditions],
            "containerStatuses": [status],
        },
    }


def ingress(service: str, host: str, *, stack: str = "demo", tls: bool = False) -> dict[str, Any]:
    backend = {"service": {"name": service, "port": {"number": 8080}}}
    rule = {"host": host, "http": {"paths": [{"path": "/", "backend": backend}]}}
    spec: dict[str, Any] = {"rules": [rule]}
    if tls:
        spec["tls"] = [{"hosts": [host], "secretName": "cert"}]
    return {"kind": "Ingress", "metadata": meta(stack, stack, ""), "spec": spec}


def printed(*objects: dict[str, Any]) -> str:
    """As `kubectl get -o json` does."""
    return json.dumps({"apiVersion": "v1", "items": objects, "kind": "List"}, indent=4) + "\n"


def rows(pods: Sequence[dict[str, Any]]) -> str:
    """As the step `containers` does."""
    found = []
    for one in pods:
        metadata, status = one["metadata"], one["status"]
        fields = [
            metadata["labels"][labels.PART_OF],
            metadata["labels"][labels.NAME],
            metadata["name"],
            *(it["status"] for it in status["conditions"] if it["type"] == "Ready"),
            metadata.get("deletionTimestamp", ""),
            metadata["creationTimestamp"],
            status["phase"],
            one["spec"]["containers"][0]["image"],
            json.dumps(status["containerStatuses"], separators=(",", ":")),
        ]
        found.append("\t".join(["pod", *fields]))
    return "\n".join([*found, "end"]) + "\n"


def install(home: Path, **outputs: str) -> None:
    """A kubectl that prints what it is given, by the resources that are asked for."""
    (home / "bin").mkdir(parents=True, exist_ok=True)
    (home / "printed").mkdir(exist_ok=True)
    (home / ".kube").mkdir(exist_ok=True)
    (home / ".kube" / "config").write_text("{}")
    for what, text in outputs.items():
        (home / "printed" / what).write_text(text)
    program = home / "bin" / "kubectl"
    program.write_text(PROGRAM)
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
