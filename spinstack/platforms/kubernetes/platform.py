"""Kubernetes behind the seam: each question and order, answered by the modules beside this one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from spinstack.platforms import base
from spinstack.platforms.base import (
    ChangeCommands,
    Container,
    Grant,
    HealthCheck,
    Kept,
    LogLine,
    LogQuery,
    RunningService,
    ServiceState,
    StateWords,
    TakenPort,
)
from spinstack.platforms.kubernetes.cluster import (
    access,
    inspect,
    kept,
    logs,
    orders,
    output,
    pods,
    states,
)
from spinstack.transport.command import Command
from spinstack.transport.script import Step

if TYPE_CHECKING:
    from spinstack.config.kubernetes import Cluster
    from spinstack.config.settings import Destination
    from spinstack.config.stack import Stack
    from spinstack.rules.finding import Finding


class Kubernetes:
    """A namespace in a cluster, by kubectl 1.27 or newer: older ones want
    rights in the whole cluster before they apply anything."""

    name = "kubernetes"
    title = "Kubernetes"
    program = "kubectl"
    two_steps = False
    detached = False
    words = StateWords(states.PHASES)
    beside = ()
    streams_input = True
    largest_input = pods.LARGEST_INPUT
    complaint_pattern = output.COMPLAINT_PATTERN
    error_pattern = output.ERROR_PATTERN

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster

    @property
    def look_by_hand(self) -> str:
        return f"kubectl --context {self.cluster.context} -n {self.cluster.namespace} get all"

    @property
    def quick(self) -> int:
        return base.QUICK

    @property
    def slow(self) -> int:
        return base.SLOW

    @property
    def volume_driver(self) -> str:
        """The storage class; empty: the cluster's own default."""
        return self.cluster.storage_class

    # The stack's files: read with YAML, which most tasks don't need.

    def check(self, stack: Stack, destination: Destination) -> list[Finding]:
        from spinstack.platforms.kubernetes import findings

        return findings.findings(stack, destination)

    def rendered(self, stack: Stack, destination: Destination) -> str:
        from spinstack.platforms.kubernetes import manifests

        return manifests.text(manifests.objects(stack, destination)).removesuffix("\n")

    def release_files(self, stack: Stack, destination: Destination) -> Mapping[str, bytes]:
        from spinstack.platforms.kubernetes import manifests

        return manifests.release_files(stack, destination)

    def health_checks(self, stack: Stack) -> Mapping[str, HealthCheck] | None:
        from spinstack.platforms import health_checks

        return health_checks.from_settings(stack)

    def own_keys(self) -> tuple[frozenset[str], str]:
        from spinstack.platforms.kubernetes import source

        return source.own_keys()

    # Access.

    def ready(self, destination: Destination) -> Step:
        return access.ready_step(destination)

    def has_access(self) -> Step:
        return access.access_step(self.cluster)

    def grant(self, destination: Destination) -> Grant | None:
        return None

    def access_findings(
        self,
        destination: Destination,
        *,
        ready: bool,
        access: bool,
        states: bool,
        said: str = "",
    ) -> list[Finding]:
        from spinstack.platforms.kubernetes.cluster import access as rights

        return rights.findings(
            destination, self.cluster, ready=ready, access=access, states=states, said=said
        )

    def rights(self) -> Step | None:
        return access.rights_step(self.cluster)

    def missing_rights(self, output: str) -> list[Finding]:
        return access.missing_rights(self.cluster, output)

    # What runs.

    def states(self, *, if_access: bool = False, must: bool = True) -> Step:
        first = self.has_access().commands if if_access else ()
        commands = (*first, states.look(self.cluster))
        return Step("states", commands, must=must and not if_access)

    def watch(self, seconds: int) -> Step:
        return states.watch_step(self.cluster, seconds)

    def read_states(self, output: str, stack: str) -> list[ServiceState]:
        return states.parse(output, stack)

    def containers(self, *, must: bool = False) -> Step:
        return pods.containers_step(self.cluster, must)

    def read_containers(self, output: str, stack: str) -> dict[str, list[Container]]:
        return pods.parse(output, stack)

    def ask(self, stack: str, service: str, words: Sequence[str], seconds: int) -> Command:
        return pods.ask(self.cluster, service, words, seconds)

    def taken_ports(self, output: str) -> Iterator[TakenPort]:
        """Each pod has an address of its own: no port is ever taken."""
        return iter(())

    def exists(self, stack: str) -> Step:
        return inspect.exists_step(self.cluster, stack)

    def inspect(self, stack: str, service: str) -> Step:
        return inspect.inspect_step(self.cluster, stack, service)

    def read_inspect(self, output: str) -> dict[str, Any] | None:
        return inspect.read(output)

    def running(self, resource: Mapping[str, Any], release: str) -> RunningService:
        return inspect.running(resource)

    def log(self, stack: str, service: str, query: LogQuery) -> Step:
        return logs.log_step(self.cluster, stack, service, query)

    def follow_logs(self, stack: str, services: Sequence[str], query: LogQuery) -> Step:
        return logs.follow_step(self.cluster, stack, services, query)

    def read_log(self, output: str, stack: str, service: str) -> Iterator[LogLine]:
        return logs.parse(output, service)

    # Orders.

    def start(self, stack: str, services: Sequence[str]) -> Step:
        return orders.start_step(self.cluster, stack, services)

    def stop(self, stack: str, service: str = "") -> Step:
        return orders.stop_step(self.cluster, stack, service)

    def restart(self, stack: str, services: Sequence[str]) -> Step:
        return orders.restart_step(self.cluster, services)

    def scale(self, stack: str, service: str, count: int) -> Step:
        return orders.scale_step(self.cluster, service, count)

    def remove(self, stack: str, service: str = "") -> Step:
        return orders.remove_step(self.cluster, stack, service)

    def gone(self, stack: str) -> Step:
        return orders.gone_step(self.cluster, stack)

    def exec(
        self, container: Container, words: Sequence[str], *, terminal: bool, input_bytes: int
    ) -> Command:
        return pods.exec_command(
            self.cluster, container.id, words, terminal=terminal, input_bytes=input_bytes
        )

    def shell(self) -> Sequence[str]:
        return pods.SHELL

    # Secrets and claims.

    def kept(self, kind: str) -> Step:
        return kept.list_step(self.cluster, kind)

    def read_kept(self, kind: str, output: str) -> list[Kept]:
        return kept.parse(output)

    def create_secret(self, name: str, value: bytes) -> Step:
        return kept.create_secret_step(self.cluster, name, value)

    def create_volume(self, name: str, driver: str) -> Step:
        return kept.create_volume_step(self.cluster, name, driver)

    def remove_kept(self, kind: str, id: str) -> Step:
        return kept.remove_step(self.cluster, kind, id)

    def change(self, stack: str, env_file: str, *, creating: bool) -> ChangeCommands:
        raise NotImplementedError("a change on Kubernetes is no job on a login node")

    # What it says when it fails.

    def complaints(self, text: str, *, errors_only: bool = False) -> list[str]:
        return output.complaints(text, errors_only=errors_only)

    def is_noise(self, line: str) -> bool:
        return output.is_noise(line)

    def known(self, text: str) -> tuple[str, str] | None:
        return access.known(text)
