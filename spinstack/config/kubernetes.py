"""Where a stack runs on Kubernetes: the settings below `kubernetes:` of a destination."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spinstack.config import schema
from spinstack.directories import expanded
from spinstack.errors import UsageError
from spinstack.rules.centre import Centre

# A namespace is a label of a DNS name.
# Source: kubernetes.io, "Object Names and IDs", RFC 1123 label names.
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_HOST = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
KUBECTL_ON = ("laptop", "login")
# The setting that stands for another one, which a destination that sets it does not take from the
# settings for all destinations: it would be the context of another cluster.
SHORT, LONG = "cluster", "context"
# Stands for the project directory where there is none: nothing can be relative to it.
NO_PROJECT_DIR = "/no-project-directory"


@dataclass(frozen=True)
class Cluster:
    """A namespace in a cluster. `kubeconfig`: as written, so that a `~` is that of the machine
    where kubectl runs; `host`: the site's name as it was set, or the centre's pattern for it with
    `{ingress}`, empty if no ingress is wanted; `uid`: whom the containers run as where the compose
    file says `${UID}`, None if it is not set; of the others an empty one is the cluster's own
    default."""

    context: str
    namespace: str
    kubeconfig: str
    on_laptop: bool
    uid: int | None
    ingress_class: str
    host: str
    tls_secret: str
    storage_class: str
    pull_secret: str

    def site(self, stack: str) -> str:
        """The name under which a stack's site is reached; empty without an ingress."""
        return self.host.replace("{ingress}", stack)

    @property
    def where(self) -> str:
        """For messages."""
        return f"{self.context}, namespace {self.namespace}"

    @property
    def local_kubeconfig(self) -> Path:
        """The kubeconfig on this machine."""
        return expanded(self.kubeconfig)


def read(written: Mapping[str, Any], centre: Centre, where: str) -> Cluster:
    """From the setting `kubernetes`. Raises UsageError for what is missing, unknown or wrong."""
    schema.check(written, schema.KUBERNETES_KEYS, where)
    defaults = {key.name: key.default or "" for key in schema.KUBERNETES_KEYS}
    values = {**defaults, **{key: value for key, value in written.items() if value is not None}}
    rules = centre.kubernetes
    known = rules.clusters.get(values["cluster"])
    if values["cluster"] and known is None:
        names = ", ".join(rules.clusters) or "none"
        raise UsageError(
            f"the centre has no cluster {values['cluster']!r}",
            where=f"{where}.cluster",
            remedy=f"use one of {names}, or set context: and ingress_host: instead",
        )
    context = values["context"] or (known.context if known else "")
    if not context:
        raise UsageError(
            "the setting context is missing",
            where=where,
            remedy="add context: with one of those that `kubectl config get-contexts` lists",
        )
    _must_match(_LABEL, "namespace", values, where)
    if values["kubectl"] not in KUBECTL_ON:
        raise UsageError(
            f"kubectl can't be {values['kubectl']!r}",
            where=f"{where}.kubectl",
            remedy=f"use one of {', '.join(KUBECTL_ON)}",
        )
    if values["ingress_host"]:
        _must_match(_HOST, "ingress_host", values, where)
    given = known.host.replace("{namespace}", values["namespace"]) if known else ""
    return Cluster(
        context=context,
        namespace=values["namespace"],
        kubeconfig=values["kubeconfig"],
        on_laptop=values["kubectl"] == "laptop",
        uid=values["uid"] or None,
        ingress_class=values["ingress_class"] or rules.ingress_class,
        host=values["ingress_host"] or given,
        tls_secret=values["tls_secret"],
        storage_class=values["storage_class"] or rules.storage_class,
        pull_secret=values["pull_secret"] or rules.pull_secret,
    )


def _must_match(pattern: re.Pattern[str], key: str, values: Mapping[str, Any], where: str) -> None:
    if not values[key]:
        raise UsageError(f"the setting {key} is missing", where=where, remedy=f"add {key}:")
    if not pattern.fullmatch(values[key]):
        raise UsageError(
            f"{key} can't be {values[key]!r}",
            where=f"{where}.{key}",
            remedy="use lower-case letters, digits and hyphens",
        )
