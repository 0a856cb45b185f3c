"""What a pretend Spin consists of in the cluster, besides its policies. Pure."""

from __future__ import annotations

import json
from typing import Any

from spin_rehearsal.account import Account
from spin_rehearsal.kubernetes import policies
from spin_rehearsal.kubernetes.places import ID, State
from spin_rehearsal.paths import USER
from spinstack.rules.centre import Centre

_RBAC = "rbac.authorization.k8s.io"

# What Spin's webhook writes into the template of pods, and into an ingress.
# Source: LSSTDESC/FASTDB, 2026-05; LSSTDESC/tom_desc, 2025-05.
_STAMPED = "nersc.gov/"
_WORKLOADS = (
    ("apps", ("deployments", "statefulsets", "daemonsets")),
    ("batch", ("jobs",)),
)
_INGRESSES = (("networking.k8s.io", ("ingresses",)),)


def namespace(decided: State) -> dict[str, Any]:
    """Judged by the policies alone: all other levels of security refuse directories of the node."""
    labels = {**decided.labels, "pod-security.kubernetes.io/enforce": "privileged"}
    notes = {ID: decided.id}
    metadata = {"name": decided.namespace, "labels": labels, "annotations": notes}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}


def member(decided: State, centre: Centre, pull_secret: str) -> list[dict[str, Any]]:
    """The account of a member of the project, who may do in the namespace what `edit` allows; and
    the secret that Spin puts there, with the login to the registry."""
    at = {"name": USER, "namespace": decided.namespace}
    pulls = {"name": centre.kubernetes.pull_secret, "namespace": decided.namespace}
    return [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": at},
        {
            "apiVersion": f"{_RBAC}/v1",
            "kind": "RoleBinding",
            "metadata": at,
            "roleRef": {"apiGroup": _RBAC, "kind": "ClusterRole", "name": "edit"},
            "subjects": [{"kind": "ServiceAccount", **at}],
        },
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": pulls,
            "type": "kubernetes.io/dockerconfigjson",
            "stringData": {".dockerconfigjson": pull_secret},
        },
    ]


def stamps(decided: State, who: Account, version: str) -> list[dict[str, Any]]:
    """Policies that stamp as Spin's webhook does. `version`: of the API that has such policies."""
    of_pods = {
        f"{_STAMPED}uid": str(who.uid),
        f"{_STAMPED}gid": str(who.gid),
        f"{_STAMPED}gids": str(who.gid),
        f"{_STAMPED}collab_uids": "",
        f"{_STAMPED}username": USER,
        f"{_STAMPED}roles": "user",
    }
    of_ingresses = {f"{_STAMPED}clustername": "development"}
    template = (
        "Object{spec: Object.spec{template: Object.spec.template{metadata: "
        f"Object.spec.template.metadata{{annotations: {json.dumps(of_pods)}}}}}}}}}"
    )
    ingress = f"Object{{metadata: Object.metadata{{annotations: {json.dumps(of_ingresses)}}}}}"
    return [
        *_mutation(decided, version, "stamps-pods", policies.resource_rules(_WORKLOADS), template),
        *_mutation(
            decided, version, "stamps-ingresses", policies.resource_rules(_INGRESSES), ingress
        ),
    ]


def _mutation(
    decided: State, version: str, name: str, rules: list[dict[str, Any]], expression: str
) -> list[dict[str, Any]]:
    api, kind = f"{policies.GROUP}/{version}", "MutatingAdmissionPolicy"
    metadata = {"name": f"{decided.namespace}-{name}", "labels": decided.labels}
    mutation = {
        "patchType": "ApplyConfiguration",
        "applyConfiguration": {"expression": expression},
    }
    spec = {
        "failurePolicy": "Fail",
        "reinvocationPolicy": "Never",
        "matchConstraints": {"resourceRules": rules},
        "mutations": [mutation],
    }
    binding = {
        "policyName": metadata["name"],
        "matchResources": {"namespaceSelector": {"matchLabels": decided.labels}},
    }
    return [
        {"apiVersion": api, "kind": kind, "metadata": metadata, "spec": spec},
        {"apiVersion": api, "kind": f"{kind}Binding", "metadata": metadata, "spec": binding},
    ]


def probe(decided: State) -> dict[str, Any]:
    """A Deployment that a policy refuses once it is in force."""
    labels = {"app": "probe"}
    pod = {"hostNetwork": True, "containers": [{"name": "probe", "image": "probe"}]}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "probe", "namespace": decided.namespace},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pod},
        },
    }
