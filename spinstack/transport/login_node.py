"""The seam to the login node: one connection that runs scripts.

Everything above it is the same whether the connection is real (`channel_node.py`), printing
(`--dry`) or recording (tests).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from spinstack.errors import SpinstackError
from spinstack.transport.command import Command, joined
from spinstack.transport.runner import Result
from spinstack.transport.script import Script, ScriptResult, StepResult

# Told the name of a step that begins.
OnBegin = Callable[[str], None]
# Told a step's name and a line of its output; a true answer ends the script there.
OnLine = Callable[[str, str], bool]
# Told how many bytes of a script of how many have been sent.
OnSent = Callable[[int, int], None]
# Given a prompt, answers it; None when there is no answer.
Answer = Callable[[str], str | None]


class ConnectionLost(SpinstackError):
    """The connection ended while a step was running: nobody knows how far it got."""


class SessionRefused(ConnectionLost):
    """The other end opens no further session on the connection."""


class LoginNode(Protocol):
    """One connection to a login node."""

    name: str
    dry: bool

    def open(self) -> None:
        """Log in now, asking what has to be asked; what is used first does so otherwise.

        Raises SpinstackError when the login is refused or the login node out of reach.
        """
        ...

    def run(
        self,
        script: Script,
        *,
        on_begin: OnBegin | None = None,
        on_line: OnLine | None = None,
        on_sent: OnSent | None = None,
    ) -> ScriptResult:
        """Run a script by the one `bash -l` that this connection keeps, in a subshell of it.

        Raises SpinstackError when the login is refused or the script's time is up, and
        ConnectionLost when the connection ends before the script. A script that was left, cut
        off or is endless costs the next one a new shell.
        """
        ...

    def converse(self, command: Command, answer: Answer, *, seconds: float = 60) -> Result:
        """Run a command line in a login shell on a terminal, answering what it asks.

        For programs that read a password from the terminal. Its output is in `stdout`.
        """
        ...

    def interact(
        self, prepare: Command, command: Command, *, terminal: bool, input: bytes = b""
    ) -> int:
        """Run a command in a login shell, connected to this process; its exit code.

        `prepare` runs first; its output and that of the shell's start-up files is kept back.
        With `terminal` the command has one there, as large as ours: each key goes to it, also
        Ctrl-C. Without one its two outputs become ours, and it is given `input`, whose end
        it never sees. Raises SpinstackError if `prepare` fails, ConnectionLost.
        """
        ...

    def close(self) -> None:
        """End the connection; it may be closed already."""
        ...


class PrintingLoginNode:
    """Shows each script and answers every step with an empty success."""

    dry = True

    def __init__(self, name: str, show: Callable[[str], None] = print) -> None:
        self.name = name
        self._show = show

    def open(self) -> None:
        return

    def run(
        self,
        script: Script,
        *,
        on_begin: OnBegin | None = None,
        on_line: OnLine | None = None,
        on_sent: OnSent | None = None,
    ) -> ScriptResult:
        limit = "until Ctrl-C" if script.endless else f"within {script.seconds:.0f} s"
        self._show(f"$ ssh {self.name} bash -l   # {limit}")
        result = ScriptResult(complete=True)
        for step in script.steps:
            self._show(f"  # {step.name}")
            for command in step.commands:
                for line in command.shown().splitlines():
                    self._show(f"  {line}")
            result.steps.append(StepResult(step.name, "", 0, step.must))
        return result

    def converse(self, command: Command, answer: Answer, *, seconds: float = 60) -> Result:
        self._show(f"$ ssh -t {self.name} bash -l -c {Command(command.shown()).shown()}")
        return Result()

    def interact(
        self, prepare: Command, command: Command, *, terminal: bool, input: bytes = b""
    ) -> int:
        whole = Command(joined((prepare, command), "&&").shown())
        self._show(f"$ ssh {'-t ' if terminal else ''}{self.name} bash -l -c {whole.shown()}")
        return 0

    def close(self) -> None:
        return


@dataclass
class RecordingLoginNode:
    """For tests: answers announced steps, refuses all others, remembers what was sent.

    `answers` maps a step's name to (output, exit code), or to a list of them that is used
    up one by one, the last one staying.
    """

    answers: dict[str, tuple[str, int] | list[tuple[str, int]]] = field(default_factory=dict)
    name: str = "someone@login-node"
    dry: bool = False
    sent: list[str] = field(default_factory=list)
    steps: list[str] = field(default_factory=list)
    inputs: list[bytes] = field(default_factory=list)

    def open(self) -> None:
        return

    def run(
        self,
        script: Script,
        *,
        on_begin: OnBegin | None = None,
        on_line: OnLine | None = None,
        on_sent: OnSent | None = None,
    ) -> ScriptResult:
        self.sent.append(script.text("mark"))
        result = ScriptResult()
        for step in script.steps:
            self.steps.append(step.name)
            if step.name not in self.answers:
                raise AssertionError(f"not announced: {step.name}")
            answer = self.answers[step.name]
            if isinstance(answer, list):
                output, code = answer.pop(0) if len(answer) > 1 else answer[0]
            else:
                output, code = answer
            if on_begin:
                on_begin(step.name)
            result.steps.append(StepResult(step.name, output, code, step.must))
            if on_line and any(on_line(step.name, line) for line in output.splitlines()):
                return result
            if code and step.must:
                break
        result.complete = True
        return result

    def converse(self, command: Command, answer: Answer, *, seconds: float = 60) -> Result:
        self.steps.append(command.shown())
        given = self.answers[command.shown()]
        text, code = given[0] if isinstance(given, list) else given
        return Result(text, "", code)

    def interact(
        self, prepare: Command, command: Command, *, terminal: bool, input: bytes = b""
    ) -> int:
        """Announced and recorded as `interact`; the answer's text goes to standard output."""
        self.steps.append("interact")
        self.sent.append(joined((prepare, command), "&&").script())
        self.inputs.append(input)
        given = self.answers["interact"]
        text, code = given[0] if isinstance(given, list) else given
        print(text, end="")
        return code

    def close(self) -> None:
        return
