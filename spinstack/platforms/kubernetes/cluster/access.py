"""Whether the account may use the cluster: kubectl, the kubeconfig, its token, its rights."""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from spinstack.console import known_errors
from spinstack.platforms.kubernetes.cluster import times
from spinstack.platforms.kubernetes.cluster.output import bare, complaints
from spinstack.platforms.kubernetes.kubectl import PROGRAM, home, kubectl
from spinstack.rules.finding import Finding
from spinstack.text import read_json
from spinstack.transport.command import Command, Raw
from spinstack.transport.script import Step

if TYPE_CHECKING:
    from spinstack.config.kubernetes import Cluster
    from spinstack.config.settings import Destination

# What a deploy does, as verb and resource.
NEEDED = (
    *(("patch", "deployments.apps"), ("list", "pods"), ("get", "pods/log")),
    *(("create", "configmaps"), ("update", "leases.coordination.k8s.io")),
)
# Source: kubernetes/kubectl, pkg/cmd/version/skew_warning.go; words differ from version to version.
_SKEW = re.compile(
    r"version difference between client \(([\d.]+)\) and server \(([\d.]+)\) exceeds"
)
# Source: rancher/rancher, the API v3's tokens.
_EXPIRES = re.compile(r'"expiresAt": ?"([^"]*)"')
_LONGEST_TIME = 253_402_300_799


def known(text: str) -> tuple[str, str] | None:
    """Cause and remedy of a complaint by kubectl, from the table of known errors."""
    found = known_errors.find(text, "kubectl-step")
    return (found.cause, found.remedy) if found else None


def ready_step(destination: Destination) -> Step:
    """A person's own defaults for kubectl (kuberc) could make it ask questions. `UID` is a
    variable of bash that is not exported."""
    cluster = destination.kubernetes
    modules = () if cluster and cluster.on_laptop else destination.modules
    commands = (
        *(Command("module", "load", module) for module in modules),
        Command("export", "KUBERC=off"),
        Command("export", "UID"),
        Command("command", "-v", PROGRAM),
    )
    return Step("kubectl environment", commands)


def access_step(cluster: Cluster) -> Step:
    """Whether there is a kubeconfig; what it lets one do shows with the first question."""
    return Step("kubeconfig", (Command("test", "-s", home(cluster.kubeconfig)),), must=False)


def findings(
    destination: Destination,
    cluster: Cluster,
    *,
    ready: bool,
    access: bool,
    states: bool,
    said: str,
) -> list[Finding]:
    """What keeps the account from the cluster; `said`: what was printed instead of the states."""
    where = f"{cluster.context}, namespace {cluster.namespace}"
    place = "this machine" if cluster.on_laptop else destination.host
    if not ready:
        remedy = "install kubectl, and see that it is on the PATH"
        return [Finding("kubectl-command", place, "there is no kubectl", remedy)]
    if not access:
        problem = f"{cluster.kubeconfig} does not exist, or is empty"
        remedy = (
            "download the kubeconfig from the cluster's page, or set kubeconfig: in invoke.yaml"
        )
        return [Finding("kubeconfig", place, problem, remedy)]
    if states:
        return []
    if cause := known("\n".join(complaints(said, errors_only=True))):
        return [Finding("kubernetes-states", where, *cause)]
    problem = "Kubernetes does not list what runs"
    remedy = f"try `kubectl --context {cluster.context} -n {cluster.namespace} get pods`"
    return [Finding("kubernetes-states", where, problem, remedy, "warning")]


# --- Rights ----------------------------------------------------------------------------------


def rights_step(cluster: Cluster, needed: Sequence[tuple[str, str]] = NEEDED) -> Step:
    """A line `can VERB RESOURCE yes|no` for each right, something else if the server was not
    reached; then what kubectl says about its own version and the server's."""
    # All at once: each takes a round trip or more.
    lines = []
    for verb, resource in needed:
        ask = kubectl(cluster, "auth", "can-i", verb, resource).script()
        lines.append(f'echo "can {verb} {resource} $({ask} 2>&1 | tail -n 1)" &')
    lines.append(f"{kubectl(cluster, 'version').script()} 2>&1")
    lines.append("wait")
    return Step("rights", (Command(Raw("\n".join(lines))),), must=False)


def missing_rights(cluster: Cluster, output: str) -> list[Finding]:
    """Of what `rights_step` printed: the rights that the account does not have, and a kubectl too
    far from the server's version."""
    where = f"{cluster.context}, namespace {cluster.namespace}"
    lines = bare(output)
    answers = [line.split() for line in lines]
    missing = [
        f"{words[1]} {words[2]}"
        for words in answers
        if len(words) == 4 and words[0] == "can" and words[3] == "no"
    ]
    found = []
    if missing:
        problem = f"you may not {', '.join(missing)} there"
        remedy = "check the namespace, and ask whoever owns it to add you to its project"
        found.append(Finding("kubernetes-rights", where, problem, remedy))
    if match := _SKEW.search("\n".join(lines)):
        problem = f"kubectl is {match[1]} and the server {match[2]}, more than one minor apart"
        remedy = f"use a kubectl of {match[2]}"
        found.append(Finding("kubectl-version", where, problem, remedy, "warning"))
    return found


# --- How long the token is valid --------------------------------------------------------------


def token_step(cluster: Cluster) -> Step:
    """Prints the claims of a token that is a JWT, or what Rancher says about the end of one of its
    own; nothing that anybody could log in with."""
    path = r'{.clusters[0].cluster.server}{" "}{.users[0].user.token}'
    view = kubectl(cluster, "config", "view", "--minify", "--raw", "-o", f"jsonpath={path}")
    # In its API's root, not in that of the cluster below it; the token's name comes first in it.
    asked = kubectl(cluster, "--server", Raw('"${server%%/k8s/clusters/*}"'), "get", "--raw")
    lines = (
        f"( view=$({view.script()}) || exit",
        "server=${view%% *} token=${view##* }",
        "case $token in",
        '*.*.*) token=${token#*.}; printf "%s\\n" "${token%%.*}" ;;',
        "*:*) case $server in */k8s/clusters/*) said=$("
        f'{asked.script()} "/v3/tokens/${{token%%:*}}") && '
        'printf "%s\\n" "$said" | grep -Eo \'"expiresAt": ?"[^"]*"\' ;; esac ;;',
        "esac )",
    )
    return Step("token", (Command(Raw("\n".join(lines))),), must=False)


def read_token(output: str) -> datetime | None:
    """When the token ends, UTC; None if that is not known."""
    lines = bare(output)
    word = lines[-1].strip() if lines else ""
    if match := _EXPIRES.fullmatch(word):
        return times.moment(match[1])
    try:
        claims = read_json(base64.urlsafe_b64decode(word + "=" * (-len(word) % 4)))
    except ValueError:
        return None
    ends = claims.get("exp") if isinstance(claims, dict) else None
    if isinstance(ends, bool) or not isinstance(ends, (int, float)):
        return None
    if not 0 <= ends <= _LONGEST_TIME:
        return None
    return datetime.fromtimestamp(ends, timezone.utc)
