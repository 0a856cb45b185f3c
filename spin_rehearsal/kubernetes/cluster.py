"""What a rehearsal asks of the cluster, and how it waits for it."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any

from spin_rehearsal.kubernetes import objects, policies
from spin_rehearsal.kubernetes.kubectl import Kubectl
from spin_rehearsal.kubernetes.places import ID, LABEL, State
from spinstack.errors import SpinstackError
from spinstack.text import read_json, split_lines

# Seconds until policies are in force, and until an old namespace is gone.
_IN_FORCE_WITHIN = 30.0
_GONE_WITHIN = 180
_LOOK_EVERY = 0.3

# The kinds without a namespace that a rehearsal makes, in the order in which they may go.
_CLUSTER_WIDE = (
    "validatingadmissionpolicybindings",
    "validatingadmissionpolicies",
    "mutatingadmissionpolicybindings",
    "mutatingadmissionpolicies",
)
_DEFAULT_CLASS = "ingressclass.kubernetes.io/is-default-class"


def served(kubectl: Kubectl) -> dict[str, str]:
    """The kinds of policies that the server has, with the newest version of their API. Raises
    SpinstackError for a server that has no policies that refuse."""
    found: dict[str, str] = {}
    for version in ("v1beta1", "v1"):
        result = kubectl.try_("get", "--raw", f"/apis/{policies.GROUP}/{version}")
        try:
            told = read_json(result.stdout)["resources"] if result.ok else ()
            found.update((str(one["name"]), version) for one in told)
        except (ValueError, LookupError, TypeError):
            continue
        if not result.ok and version == "v1":
            raise kubectl.failure(result.stderr.strip())
    if found.get("validatingadmissionpolicies") != "v1" and not kubectl.runner.dry:
        raise SpinstackError(
            "the cluster has no ValidatingAdmissionPolicy, which Spin's rules become",
            where=f"context {kubectl.context}",
            remedy="use Kubernetes 1.30 or newer",
        )
    return {name: it for name, it in found.items() if name in _CLUSTER_WIDE}


def ingress_class(kubectl: Kubectl) -> str:
    """The class that an ingress gets: the default one, or else the first; empty without any."""
    classes = [one["metadata"] for one in _items(kubectl, "ingressclasses.networking.k8s.io")]
    classes.sort(key=lambda it: (it.get("annotations") or {}).get(_DEFAULT_CLASS) != "true")
    return str(classes[0]["name"]) if classes else ""


def architecture(kubectl: Kubectl) -> str:
    """That of the first node, as images name it."""
    nodes = _items(kubectl, "nodes")
    return str(nodes[0]["status"]["nodeInfo"]["architecture"]) if nodes else ""


def _items(kubectl: Kubectl, kind: str) -> list[dict[str, Any]]:
    return (kubectl.get(kind) or {}).get("items") or []


def server(kubectl: Kubectl) -> Mapping[str, Any]:
    """The cluster's entry in the kubeconfig, with the files that it names in it."""
    text = kubectl.run(
        "config", "view", "--raw", "--minify", "--flatten", "-o", "json", changes=False
    )
    try:
        found = read_json(text)["clusters"][0]["cluster"]
    except (ValueError, LookupError, TypeError):
        raise kubectl.failure(f"no cluster in {text[:200]}") from None
    assert isinstance(found, dict)
    return found


def is_ours(kubectl: Kubectl, decided: State) -> bool:
    """Whether the namespace is this rehearsal's, or free."""
    found = kubectl.get("namespace", decided.namespace)
    annotations = (found or {}).get("metadata", {}).get("annotations") or {}
    return found is None or annotations.get(ID) == decided.id


def must_be_ours(kubectl: Kubectl, decided: State) -> None:
    """The namespace, if there is one; an old one of ours that is about to go is waited for.
    Raises SpinstackError for somebody else's."""
    if not is_ours(kubectl, decided):
        raise SpinstackError(
            f"the namespace {decided.namespace} is not this rehearsal's",
            where=f"context {decided.context}",
            remedy=f"use another --name, or remove it: kubectl --context {decided.context} "
            f"delete namespace {decided.namespace}",
        )
    found = kubectl.get("namespace", decided.namespace)
    if found and found["metadata"].get("deletionTimestamp"):
        wait_until_gone(kubectl, decided)


def wait_until_gone(kubectl: Kubectl, decided: State) -> None:
    """Raises SpinstackError for a namespace that stays."""
    name = f"namespace/{decided.namespace}"
    words = ("wait", "--for=delete", name, f"--timeout={_GONE_WITHIN}s")
    command = kubectl.command(*words, request=_GONE_WITHIN)
    result = kubectl.runner.run(command, timeout=_GONE_WITHIN + 10)
    if not result.ok and "not found" not in result.stderr.lower():
        raise kubectl.failure(result.stderr.strip())


def remove_policies(kubectl: Kubectl, decided: State, *, keep: set[str]) -> None:
    """Those of this rehearsal, but for some: bindings first, or a policy would be missing."""
    kinds = [kind for kind in _CLUSTER_WIDE if kind in served(kubectl)]
    selector = f"--selector={LABEL}={decided.namespace}"
    for kind in kinds:
        full = f"{kind}.{policies.GROUP}"
        listed = kubectl.run("get", full, selector, "-o", "name", changes=False)
        names = [line.rpartition("/")[2] for line in split_lines(listed)]
        old = [name for name in names if name not in keep]
        if old:
            kubectl.run("delete", full, *old, "--ignore-not-found")


def wait_until_in_force(kubectl: Kubectl, decided: State) -> None:
    """Raises SpinstackError if the server goes on to take what a policy forbids."""
    probe = json.dumps(objects.probe(decided))
    deadline = time.monotonic() + _IN_FORCE_WITHIN
    while True:
        words = ("create", "--dry-run=server", "-f", "-")
        said = kubectl.try_(*words, input=probe).stderr
        if f"'{decided.namespace}-" in said or kubectl.runner.dry:
            return
        if time.monotonic() > deadline:
            raise kubectl.failure(f"the policies are not in force: {said.strip() or 'no refusal'}")
        time.sleep(_LOOK_EVERY)
