"""The rehearsal as a destination: the account's kubeconfig, and the settings for `invoke.yaml`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import yaml

from spin_rehearsal.account import Account
from spin_rehearsal.kubernetes.places import PLATFORM, State, kubeconfig
from spin_rehearsal.paths import USER, Places
from spinstack.directories import write_private

# The centre's cluster that it plays.
CLUSTER = "development"
_HEAD = (
    "# Written by `invoke rehearsal.start --platform kubernetes`: the settings of a destination.\n"
)


def write(decided: State, where: Places, who: Account) -> None:
    """Write the settings, whole or not at all."""
    text = yaml.safe_dump(settings(decided, where, who), sort_keys=False)
    write_private(where.destination, _HEAD + text)


def settings(decided: State, where: Places, who: Account) -> dict[str, Any]:
    """The settings, by the keys of `spinstack/config/schema.py`."""
    found: dict[str, Any] = {
        "platform": PLATFORM,
        "user": USER,
        "project_dir": str(where.project),
        "registry": decided.registry,
        "namespace": USER,
        "env": {"GROUP_ID": str(who.gid)},
        "kubernetes": {
            "cluster": CLUSTER,
            "kubeconfig": str(kubeconfig(where)),
            "namespace": decided.namespace,
            "uid": who.uid,
        },
        "centre": decided.overrides(where),
    }
    if decided.build_args:
        found["build_args"] = dict(decided.build_args)
    if decided.architecture:
        found["build_platform"] = f"linux/{decided.architecture}"
    return found


def write_kubeconfig(decided: State, where: Places, server: Mapping[str, Any], token: str) -> None:
    """Write the account's login. `server`: the cluster's entry in a kubeconfig, files in it
    included. As the centre's own, it has one name for everything."""
    context = {"cluster": CLUSTER, "user": CLUSTER, "namespace": decided.namespace}
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": CLUSTER, "cluster": dict(server)}],
        "users": [{"name": CLUSTER, "user": {"token": token}}],
        "contexts": [{"name": CLUSTER, "context": context}],
        "current-context": CLUSTER,
    }
    write_private(kubeconfig(where), json.dumps(content, indent=2) + "\n")
