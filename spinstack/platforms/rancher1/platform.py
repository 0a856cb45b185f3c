"""Rancher 1 behind the seam: each question and order, answered by the modules beside this one."""

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
from spinstack.platforms.rancher1 import (
    access,
    commands,
    compose_keys,
    containers,
    inspect,
    logs,
    output,
    secrets,
    states,
)
from spinstack.transport.command import Command, Word
from spinstack.transport.script import Step

if TYPE_CHECKING:
    from spinstack.config.settings import Destination
    from spinstack.config.stack import Stack
    from spinstack.rules.finding import Finding

# Lines of a service's log that the journal of a change keeps after a failure.
LOG_LINES = 20


class Rancher1:
    """Rancher 1 ("cattle") as NERSC's Spin ran it until 2021: its CLI 0.6.7 on a login node."""

    name = "cattle"
    title = "Rancher"
    program = "rancher"
    look_by_hand = "rancher ps"
    two_steps = True
    detached = True
    words = StateWords(states.PHASES)
    beside = (compose_keys.FILE,)
    # The driver of Spin's own storage for volumes.
    # Source: docs.nersc.gov, Spin reference guide, "Storage".
    volume_driver = "rancher-nfs"
    streams_input = False
    largest_input = commands.LARGEST_INPUT
    complaint_pattern = output.COMPLAINT_PATTERN
    error_pattern = output.ERROR_PATTERN

    @property
    def quick(self) -> int:
        return base.QUICK

    @property
    def slow(self) -> int:
        return base.SLOW

    # The stack's files: read with YAML, which most tasks don't need.

    def check(self, stack: Stack, destination: Destination) -> list[Finding]:
        from spinstack.platforms.rancher1 import compose_check

        return compose_check.findings(stack, destination)

    def rendered(self, stack: Stack, destination: Destination) -> str:
        from spinstack.platforms.rancher1 import files

        return files.rendered(stack, destination)

    def release_files(self, stack: Stack, destination: Destination) -> Mapping[str, bytes]:
        from spinstack.platforms.rancher1 import files

        return files.release_files(stack)

    def health_checks(self, stack: Stack) -> Mapping[str, HealthCheck] | None:
        from spinstack.platforms.rancher1 import files

        return files.health_checks(stack)

    def own_keys(self) -> tuple[frozenset[str], str]:
        from spinstack.config import compose_keys as keys

        return keys.RANCHER_ONLY, keys.LABELS

    def ready(self, destination: Destination) -> Step:
        return commands.ready_step(destination.modules, destination.environment)

    def has_access(self) -> Step:
        return access.key_step()

    def grant(self, destination: Destination) -> Grant:
        return access.grant(destination)

    def access_findings(
        self,
        destination: Destination,
        *,
        ready: bool,
        access: bool,
        states: bool,
        said: str = "",
    ) -> list[Finding]:
        from spinstack.platforms.rancher1 import access as key

        return key.findings(destination, ready=ready, has_key=access, states=states, said=said)

    def rights(self) -> Step | None:
        return None

    def missing_rights(self, output: str) -> list[Finding]:
        return []

    def states(self, *, if_access: bool = False, must: bool = True) -> Step:
        return states.states_if_key_step() if if_access else states.states_step(must)

    def watch(self, seconds: int) -> Step:
        return states.watch_step(seconds)

    def read_states(self, output: str, stack: str) -> list[ServiceState]:
        return states.parse(output, stack)

    def containers(self, *, must: bool = False) -> Step:
        return containers.containers_step(must)

    def read_containers(self, output: str, stack: str) -> dict[str, list[Container]]:
        return containers.parse(output, stack)

    def ask(self, stack: str, service: str, words: Sequence[str], seconds: int) -> Command:
        return containers.ask(stack, service, words, seconds)

    def taken_ports(self, output: str) -> Iterator[TakenPort]:
        return states.taken_ports(output)

    def exists(self, stack: str) -> Step:
        return commands.exists_step(stack)

    def inspect(self, stack: str, service: str) -> Step:
        return commands.inspect_step(stack, service)

    def read_inspect(self, output: str) -> dict[str, Any] | None:
        return inspect.read(output)

    def running(self, resource: Mapping[str, Any], release: str) -> RunningService:
        return inspect.running(resource, release)

    def log(self, stack: str, service: str, query: LogQuery) -> Step:
        return logs.log_step(stack, service, query)

    def follow_logs(self, stack: str, services: Sequence[str], query: LogQuery) -> Step:
        return logs.follow_step(stack, services, query)

    def read_log(self, output: str, stack: str, service: str) -> Iterator[LogLine]:
        return logs.parse(output, stack, service)

    def start(self, stack: str, services: Sequence[str]) -> Step:
        return commands.each_step("start", stack, services)

    def stop(self, stack: str, service: str = "") -> Step:
        return commands.stop_step(stack, service)

    def restart(self, stack: str, services: Sequence[str]) -> Step:
        return commands.each_step("restart", stack, services)

    def scale(self, stack: str, service: str, count: int) -> Step:
        return commands.scale_step(stack, service, count)

    def remove(self, stack: str, service: str = "") -> Step:
        return commands.remove_step(stack, service)

    def gone(self, stack: str) -> Step:
        return commands.gone_step(stack)

    def exec(
        self, container: Container, words: Sequence[str], *, terminal: bool, input_bytes: int
    ) -> Command:
        return commands.exec_command(
            container.id, words, terminal=terminal, input_bytes=input_bytes
        )

    def shell(self) -> Sequence[str]:
        return commands.SHELL

    def kept(self, kind: str) -> Step:
        return secrets.list_step(kind)

    def read_kept(self, kind: str, output: str) -> list[Kept]:
        return secrets.parse(output, kind.capitalize())

    def create_secret(self, name: str, value: bytes) -> Step:
        return secrets.create_secret_step(name, value)

    def create_volume(self, name: str, driver: str) -> Step:
        return secrets.create_volume_step(name, driver)

    def remove_kept(self, kind: str, id: str) -> Step:
        return secrets.remove_step(kind, id)

    def change(self, stack: str, env_file: str, *, creating: bool) -> ChangeCommands:
        bring = commands.create if creating else commands.upgrade

        def named(service: Word) -> Word:
            return commands.named(stack, service)

        return ChangeCommands(
            render=commands.render(stack, env_file),
            rows=states.rows(),
            bring=bring(stack, env_file),
            confirm=commands.confirm(stack, env_file),
            put_back=lambda service: commands.put_back(stack, env_file, service),
            stop=lambda service: commands.rancher(*commands.STOP_SERVICE, named(service)),
            log_of=lambda service: commands.logs_of(named(service), LOG_LINES),
        )

    def complaints(self, text: str, *, errors_only: bool = False) -> list[str]:
        levels = output.ERRORS if errors_only else output.COMPLAINTS
        return output.complaints(text, levels)

    def is_noise(self, line: str) -> bool:
        return bool(output.parse_log(line))

    def known(self, text: str) -> tuple[str, str] | None:
        return access.known(text)
