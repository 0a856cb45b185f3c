"""One stack at its destination, as operations see it: run steps there, read what runs.

Scripts of the steps of `rancher1/commands.py` over the one connection, failures told once for
all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from spinstack.errors import SpinstackError
from spinstack.platforms import base
from spinstack.platforms.base import ServiceState
from spinstack.platforms.health import Rounds
from spinstack.platforms.rancher1 import commands, logs
from spinstack.platforms.rancher1 import output as rancher_output
from spinstack.platforms.rancher1 import states as rancher_states
from spinstack.transport.login_node import LoginNode, OnLine
from spinstack.transport.script import Script, ScriptResult, Step, StepResult

if TYPE_CHECKING:
    from spinstack.config.settings import Destination

# Told the states each time they were read; a true answer ends the watching.
OnStates = Callable[[list[ServiceState]], bool]

# What the CLI says in a way that a person need not understand -> what it is, what to do.
_KNOWN = {
    "RANCHER_URL environment or --url is not set": (
        "the account has no key for Rancher yet",
        "invoke deploy, which makes one",
    ),
    "statusCode [401]": (
        "Rancher does not accept the account's key",
        "log in to the login node and run spin-keygen.sh there",
    ),
    "statusCode [403]": (
        "Rancher does not let the account into this environment",
        "see the setting environment; the centre grants access to one",
    ),
    "connection refused": ("Rancher does not answer", "see the centre's status page"),
    "Client.Timeout exceeded": ("Rancher does not answer", "see the centre's status page"),
}


class StackClient:
    """Asks and orders; what waits has a limit."""

    def __init__(self, node: LoginNode, destination: Destination, stack: str) -> None:
        self.stack = stack
        self.node = node
        self.destination = destination

    @property
    def where(self) -> str:
        return f"{self.stack} at {self.destination.name} ({self.destination.environment})"

    @property
    def ready(self) -> Step:
        return commands.ready_step(self.destination.modules, self.destination.environment)

    def run(
        self,
        *steps: Step,
        seconds: float = 120.0,
        endless: bool = False,
        on_line: OnLine | None = None,
    ) -> ScriptResult:
        """Run steps where the CLI is ready. Raises SpinstackError for one that must not fail."""
        script = Script((self.ready, *steps), seconds=seconds, endless=endless)
        result = self.node.run(script, on_line=on_line)
        if result.failed is not None:
            raise self.failure(result.failed)
        return result

    def failure(self, step: StepResult, what: str = "") -> SpinstackError:
        """A step's failure, told."""
        if step.name == self.ready.name:
            return SpinstackError(
                "the login node has no Rancher command",
                where=self.node.name,
                remedy="see whether its modules can be loaded there: the setting modules",
                details=_tail(step.output),
            )
        told = rancher_output.complaints(step.output, ("error", "fatal"))
        text = "\n".join(told) or _tail(step.output)
        for sign, (cause, remedy) in _KNOWN.items():
            if sign in text:
                return SpinstackError(cause, where=self.where, remedy=remedy, details=text)
        late = f" within {base.QUICK} s" if step.code == 124 else ""
        return SpinstackError(
            (what or f"Rancher did not answer: {step.name}") + late,
            where=self.where,
            remedy="see `invoke status`; run it again",
            details=text,
        )

    def order(self, *steps: Step, what: str, seconds: float = 120.0) -> None:
        """Run steps that change something. Raises SpinstackError, beginning with `what`, for
        an exit code or for what the CLI complains of, which it may do with exit code 0."""
        result = self.run(*steps, seconds=seconds)
        for step in steps:
            done = next((found for found in result.steps if found.name == step.name), None)
            if done and (not done.ok or rancher_output.complaints(done.output, ("error", "fatal"))):
                raise self.failure(done, what)

    def states(self) -> list[ServiceState]:
        """The stack's services as they are now. Creates nothing."""
        return self.read_states(self.run(rancher_states.states_step()).output("states"))

    def read_states(self, output: str) -> list[ServiceState]:
        """From what `ps` printed. Raises SpinstackError for what can't be understood: it must
        not pass for a stack without services."""
        if rancher_states.is_garbled(output):
            raise SpinstackError(
                "Rancher's answer can't be understood",
                where=self.where,
                remedy="try `rancher ps` on the login node; see the centre's status page",
                details=_tail(output),
            )
        return rancher_states.parse_states(output, self.stack)

    def watch(self, seconds: int, on_states: OnStates) -> None:
        """Read the states about once a second until `on_states` has seen enough."""
        rounds = Rounds(self.stack, self.node.name, on_states)

        def take(step: str, line: str) -> bool:
            return step == "watch" and rounds.take(line)

        self.run(rancher_states.watch_step(seconds), seconds=seconds + 60, on_line=take)

    def last_lines(self, services: Sequence[str], lines: int = 20) -> str:
        """The ends of the services' logs, each under its name."""
        steps = [commands.logs_step(self.stack, name, lines) for name in services]
        result = self.run(*steps, seconds=base.QUICK * len(steps) + 60)
        return "\n".join(
            f"--- {name}, last lines ---\n"
            + (logs.in_order(result.output(step.name), lines).strip() or "(nothing)")
            for name, step in zip(services, steps, strict=True)
        )


def _tail(output: str, lines: int = 15) -> str:
    return "\n".join(output.strip().splitlines()[-lines:])
