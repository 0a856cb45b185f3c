"""One stack at its destination: runs the steps of its platform there, and reads their output.

The same for all platforms, with the same messages for failures.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from spinstack.errors import SpinstackError
from spinstack.platforms.base import Container, Garbled, LogQuery, Platform, ServiceState
from spinstack.platforms.health import Rounds
from spinstack.platforms.logs import last_lines
from spinstack.transport.login_node import LoginNode, OnLine
from spinstack.transport.script import (
    KILLED,
    TIME_IS_UP,
    Script,
    ScriptResult,
    Step,
    StepResult,
    tail,
)

if TYPE_CHECKING:
    from spinstack.config.settings import Destination

# Gets the states each time they were read; returning true ends the watching.
OnStates = Callable[[list[ServiceState]], bool]
Read = TypeVar("Read")


class StackClient:
    """Queries and orders; whatever waits has a limit. `stack`: its name."""

    def __init__(
        self, node: LoginNode, destination: Destination, platform: Platform, stack: str
    ) -> None:
        self.node = node
        self.destination = destination
        self.platform = platform
        self.stack = stack

    @property
    def where(self) -> str:
        return f"{self.stack} at {self.destination.name}"

    @property
    def ready(self) -> Step:
        return self.platform.ready(self.destination)

    def run(
        self,
        *steps: Step,
        seconds: float = 120.0,
        endless: bool = False,
        on_line: OnLine | None = None,
    ) -> ScriptResult:
        """Run steps with the platform ready. Raises SpinstackError if one fails that must not."""
        script = Script((self.ready, *steps), seconds=seconds, endless=endless)
        return self.succeeded(self.node.run(script, on_line=on_line))

    def succeeded(self, result: ScriptResult) -> ScriptResult:
        """Raises SpinstackError if a step failed that had to succeed."""
        if result.failed is not None:
            raise self.failure(result.failed)
        return result

    def failure(self, step: StepResult, what: str = "") -> SpinstackError:
        """Why a quick step failed. `what`: what did not happen, if that is known."""
        if step.name == self.ready.name:
            return not_ready(step, self.platform, self.node.name)
        said = "\n".join(self.platform.complaints(step.output, errors_only=True))
        text = said or tail(step.output)
        known = self.platform.known(text)
        if known:
            where = f"{self.where}, environment {self.destination.environment}"
            error = SpinstackError(known[0], where=where, remedy=known[1], details=text)
            error.explained = True
            return error
        if step.ok and not what and not said:
            return garbled(step.output, self.platform, self.node.name)
        what = what or f"{self.platform.title} did not answer: {step.name}"
        if step.code == TIME_IS_UP:
            what += f" (no answer within {self.platform.quick} s)"
        elif step.code == KILLED:
            what += f" (exit code {step.code}: killed)"
        error = SpinstackError(
            what,
            where=self.where,
            remedy="see `invoke status`, then run it again",
            details=text or f"exit code {step.code}, no output",
        )
        # The words of this message are no output of a program, and nothing to be explained.
        error.explained = step.code in (TIME_IS_UP, KILLED) or not text
        return error

    def order(self, *steps: Step, what: str, seconds: float = 120.0) -> None:
        """Run steps that change something. Raises SpinstackError, beginning with `what`, for
        an exit code or for what the platform complains of, which it may do with exit code 0."""
        result = self.run(*steps, seconds=seconds)
        for step in steps:
            done = next((found for found in result.steps if found.name == step.name), None)
            if done and self.refused(done):
                raise self.failure(done, what)

    def refused(self, step: StepResult) -> bool:
        return not step.ok or bool(self.platform.complaints(step.output, errors_only=True))

    def states(self) -> list[ServiceState]:
        """The stack's services as they are now. Creates nothing."""
        step = self.platform.states()
        return self.read_states(self.run(step).output(step.name))

    def read_states(self, output: str) -> list[ServiceState]:
        """From what the step `states` printed."""
        step = StepResult(self.platform.states().name, output, 0)
        return self.read(step, lambda text: self.platform.read_states(text, self.stack))

    def read_containers(self, output: str) -> dict[str, list[Container]]:
        """From what the step `containers` printed."""
        step = StepResult(self.platform.containers().name, output, 0)
        return self.read(step, lambda text: self.platform.read_containers(text, self.stack))

    def read(self, step: StepResult, reader: Callable[[str], Read]) -> Read:
        """What a step printed, read by the platform's `reader`. Raises SpinstackError for
        unexpected output, which must not be taken for an empty list."""
        try:
            return reader(step.output)
        except Garbled:
            raise self.failure(step) from None

    def inspect(self, names: Sequence[str]) -> dict[str, dict[str, Any]]:
        """The platform's own resource of each service. Ask only about services that exist: for
        others a platform may create something.

        Raises SpinstackError if one is not shown.
        """
        platform = self.platform
        steps = [platform.inspect(self.stack, name) for name in names]
        if not steps:
            return {}
        result = self.run(*steps, seconds=platform.quick * len(steps) + 60)
        if self.node.dry:
            return {}
        found = {}
        for name, step in zip(names, steps, strict=True):
            told = self.read(result[step.name], platform.read_inspect)
            if told is None:
                raise self.failure(result[step.name], f"{platform.title} does not show {name}")
            found[name] = told
        return found

    def watch(self, seconds: int, on_states: OnStates) -> None:
        """Read the states about once a second until `on_states` has seen enough."""
        rounds = Rounds(self.platform, self.stack, self.node.name, on_states)
        watch = self.platform.watch(seconds)

        def take(step: str, line: str) -> bool:
            return step == watch.name and rounds.take(line)

        self.run(watch, seconds=seconds + 60, on_line=take)

    def last_lines(self, services: Sequence[str], lines: int = 20) -> str:
        """The ends of the services' logs, each under its name."""
        steps = [self.platform.log(self.stack, name, LogQuery(lines)) for name in services]
        result = self.run(*steps, seconds=self.platform.quick * len(steps) + 60)
        return "\n".join(
            last_lines(
                name, self.platform.read_log(result.output(step.name), self.stack, name), lines
            )
            for name, step in zip(services, steps, strict=True)
        )


def not_ready(step: StepResult, platform: Platform, where: str) -> SpinstackError:
    """What the platform needs is missing where its scripts run."""
    killed = ": killed" if step.code == KILLED else ""
    remedy = f"check that {platform.program} is on the PATH there; on a login node the setting "
    remedy += "modules says what is loaded first"
    return SpinstackError(
        f"no {platform.program} command on {where} (exit code {step.code}{killed})",
        where=where,
        remedy=remedy,
        details=tail(step.output),
    )


def garbled(output: str, platform: Platform, where: str) -> SpinstackError:
    """The platform printed something unexpected."""
    return SpinstackError(
        f"unexpected output from {platform.program}",
        where=where,
        remedy=f"try `{platform.look_by_hand}` on {where}; see the centre's status page",
        details=tail(output),
    )
