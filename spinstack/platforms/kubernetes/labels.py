"""The labels and annotations by which objects in a cluster are ours, and of which stack."""

from __future__ import annotations

from collections.abc import Sequence

# Source: kubernetes.io, "Recommended Labels".
NAME = "app.kubernetes.io/name"
PART_OF = "app.kubernetes.io/part-of"
MANAGED_BY = "app.kubernetes.io/managed-by"
MANAGER = "spinstack"

# A label of what is kept about a stack: its lease, its record, its releases. What runs has none.
KIND = "spinstack/kind"
# Annotations: the release that a Deployment is from, and how many replicas a stopped one had.
RELEASE = "spinstack/release"
REPLICAS = "spinstack/replicas"

# The kinds that a stack is made of, and that are removed with it. Never claims and secrets: they
# hold what nobody can make again.
KINDS = ("deployments.apps", "services", "ingresses.networking.k8s.io", "configmaps")


def of_ours() -> str:
    """A selector of all that spinstack has made in the namespace."""
    return f"{MANAGED_BY}={MANAGER}"


def of_stack(stack: str, services: Sequence[str] = ()) -> str:
    """A selector of what a stack, or some services of it, run from."""
    found = f"{of_ours()},{PART_OF}={stack},!{KIND}"
    if len(services) == 1:
        return f"{found},{NAME}={services[0]}"
    return f"{found},{NAME} in ({','.join(services)})" if services else found


def of_all(stack: str) -> str:
    """A selector of both: what a stack runs from, and what is kept about it."""
    return f"{of_ours()},{PART_OF}={stack}"


def of_records(stack: str) -> str:
    """A selector of what is kept about a stack."""
    return f"{of_ours()},{PART_OF}={stack},{KIND}"


def of_service(stack: str, service: str) -> str:
    """A selector of a service's pods: the one that its Deployment has."""
    return f"{PART_OF}={stack},{NAME}={service}"


def path(key: str) -> str:
    """A label or an annotation in a JSONPath template."""
    return key.replace(".", "\\.")
