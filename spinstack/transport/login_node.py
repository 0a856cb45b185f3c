"""The seam to the login node, or to this machine in its place: one connection that runs scripts.

Everything above it is the same whether the connection is real (`channel_node.py`), printing
(`--dry`) or recording (tests).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from spinstack.errors import SpinstackError
from spinstack.text import split_lines
from spinstack.transport.channel import Stream
from spinstack.transport.command import Command, joined
from spinstack.transport.runner import Result
from spinstack.transport.script import Script, ScriptResult, StepResult

# Gets the name of a step that begins.
OnBegin = Callable[[str], None]
# Gets a step's name and a line of its output; returning true ends the script there.
OnLine = Callable[[str, str], bool]
# Gets the number of bytes of a script sent so far, and their total.
OnSent = Callable[[int, int], None]
# Gets a prompt and answers it; None if there is no answer.
Answer = Callable[[str], str | None]


class ConnectionLost(SpinstackError):
    """The connection ended while a step was running: how far it got is unknown."""


class SessionRefused(ConnectionLost):
    """The other end opens no further session on the connection."""


class LoginNode(Protocol):
    """One connection to a login node."""

    name: str
    dry: bool

    def open(self) -> None:
        """Log in now, asking what has to be asked; otherwise the first use does so.

        Raises SpinstackError if the login is refused or the login node can't be reached.
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
        """Run a script in the one `bash -l` that this connection keeps, in a subshell of it.

        Raises SpinstackError if the login is refused or the script's time is up, and
        ConnectionLost if the connection ends before the script. After a script that was left,
        cut off or endless, the next one needs a new shell.
        """
        ...

    def converse(self, command: Command, answer: Answer, *, seconds: float = 60) -> Result:
        """Run a command line in a login shell on a terminal, answering what it asks.

        For programs that read a password from the terminal. Its output is in `stdout`.
        """
        ...

    def interact(
        self,
        prepare: Command,
        command: Command,
        *,
        terminal: bool,
        input: bytes = b"",
        stream: Stream | None = None,
    ) -> int:
        """Run a command in a login shell, connected to this process; its exit code.

        `prepare` runs first; its output and that of the shell's start-up files is withheld.
        With `terminal` the command has one there, as large as ours, and gets every key, even
        Ctrl-C. Without one its two outputs become ours, and it is given `input`, whose end
        it never sees; or its output goes to the target of `stream`, and its input is the source
        of that, to its end. Raises SpinstackError if `prepare` fails, ConnectionLost.
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

    def _start(self, *, terminal: bool = False) -> str:
        """The command line of the shell that reads a script."""
        return f"ssh {'-t ' if terminal else ''}{self.name} bash -l"

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
        self._show(f"$ {self._start()}   # {limit}")
        result = ScriptResult(complete=True)
        for step in script.steps:
            self._show(f"  # {step.name}")
            for command in step.commands:
                for line in split_lines(command.shown()):
                    self._show(f"  {line}")
            result.steps.append(StepResult(step.name, "", 0, step.must))
        return result

    def converse(self, command: Command, answer: Answer, *, seconds: float = 60) -> Result:
        self._show(f"$ {self._start(terminal=True)} -c {Command(command.shown()).shown()}")
        return Result()

    def interact(
        self,
        prepare: Command,
        command: Command,
        *,
        terminal: bool,
        input: bytes = b"",
        stream: Stream | None = None,
    ) -> int:
        whole = Command(joined((prepare, command), "&&").shown())
        self._show(f"$ {self._start(terminal=terminal)} -c {whole.shown()}")
        return 0

    def close(self) -> None:
        return


@dataclass
class RecordingLoginNode:
    """For tests: answers expected steps, refuses all others, records what was sent.

    `answers` maps a step's name to (output, exit code), or to a list of them that is used
    one by one; the last one stays.
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
                raise AssertionError(f"not expected: {step.name}")
            answer = self.answers[step.name]
            if isinstance(answer, list):
                output, code = answer.pop(0) if len(answer) > 1 else answer[0]
            else:
                output, code = answer
            if on_begin:
                on_begin(step.name)
            result.steps.append(StepResult(step.name, output, code, step.must))
            if on_line and any(on_line(step.name, line) for line in split_lines(output)):
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
        self,
        prepare: Command,
        command: Command,
        *,
        terminal: bool,
        input: bytes = b"",
        stream: Stream | None = None,
    ) -> int:
        """Expected and recorded as `interact`; the answer's text goes to standard output."""
        self.steps.append("interact")
        self.sent.append(joined((prepare, command), "&&").script())
        source = stream.source if stream else None
        self.inputs.append(source.read() if source else input)
        given = self.answers["interact"]
        if isinstance(given, list):
            text, code = given.pop(0) if len(given) > 1 else given[0]
        else:
            text, code = given
        if stream and stream.target:
            stream.target.write(text.encode("latin-1"))
        else:
            print(text, end="")
        return code

    def close(self) -> None:
        return
