"""Scripts for the login node: named steps in, what each step printed out.

Scripts are sent one after the other to a `bash -l` (`shell.py`). Marks around each step
separate its output from the message of the day and from other steps, and show progress as it
happens. Pure: values to text, text to values.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from spinstack.text import split_lines, whole_number
from spinstack.transport.command import Command, Raw

# What a person's start-up files may have set for every shell, undone.
PLAIN_SHELL = (
    "set +euCf +o posix +o pipefail; shopt -u nullglob failglob; unalias -a; "
    "unset CDPATH GREP_OPTIONS; trap - DEBUG ERR; IFS=$' \\t\\n'"
)


@dataclass(frozen=True)
class Step:
    """Commands that belong together; each runs only if the one before it succeeded.

    `must`: a failure ends the script here. Later steps see the variables and functions that
    a step sets. `beside`: it is begun at once with the step after it, after which it is told;
    nobody sees what it sets.
    """

    name: str
    commands: tuple[Command, ...]
    must: bool = True
    beside: bool = False

    def body(self) -> str:
        return " &&\n".join(command.script() for command in self.commands)


@dataclass(frozen=True)
class Script:
    """Steps that run one after the other; `seconds` is the limit for all of them.

    `endless`: it continues until the sender leaves. Descriptor 3 is its end of the channel,
    which then ends, so that a step can notice; its output is not kept.
    """

    steps: tuple[Step, ...]
    seconds: float = 120.0
    endless: bool = False

    def text(self, mark: str) -> str:
        """The script as bash reads it. `mark` must be a word that no program prints.

        It runs in a subshell: whatever it sets, wherever it changes to and however it ends, the
        shell is unchanged for the next one. Its programs get an empty input.
        """
        lines = [PLAIN_SHELL, "("]
        begun: list[int] = []
        for number, step in enumerate(self.steps):
            if step.beside and step is not self.steps[-1]:
                lines.append(_begun(number, step, _DESCRIPTORS[len(begun)]))
                begun.append(number)
                continue
            lines += _marked(mark, number, step, step.body())
            ended = [(one, self.steps[one], _DESCRIPTORS[at]) for at, one in enumerate(begun)]
            for one, other, descriptor in ended:
                lines += _marked(mark, one, other, _ENDED.format(descriptor=descriptor))
            begun.clear()
        lines.append(_printf(f"{mark} done"))
        lines.append(") 3<&0 </dev/null" if self.endless else ") </dev/null")
        # By the shell itself, even if the subshell was killed or a step exited from it.
        lines.append(_printf(f"{mark} over") + "\n")
        return "\n".join(lines)


def _marked(mark: str, number: int, step: Step, body: str) -> list[str]:
    """What a step runs, between its marks."""
    return [
        _printf(f"{mark} begin {number}"),
        f"{{ {body}\n}} 2>&1",
        "spinstack_code=$?",
        f"printf '\\n%s %s\\n' {shlex.quote(f'{mark} end {number}')} \"$spinstack_code\"",
        *(['[ "$spinstack_code" -eq 0 ] || exit 0'] if step.must else []),
    ]


# Those of the steps that go on beside others.
_DESCRIPTORS = (8, 7, 6, 5)
# What such a step has printed and, on a line of its own, its exit code. It is waited for, as far as
# bash does so (4.4 the last one): where the process that adopts orphans is slow to see their ends,
# whoever waits for the shell's group to end would wait for it.
_ENDED = """\
spinstack_said=$(cat <&{descriptor}); wait
spinstack_line='
'
printf '%s\\n' "${{spinstack_said%"$spinstack_line"*}}"
(exit "${{spinstack_said##*"$spinstack_line"}}")"""


def _begun(number: int, step: Step, descriptor: int) -> str:
    """In a function: bash 3.2 can't read a `case` within a substitution."""
    name = f"spinstack_beside_{number}"
    ran = f"{name} 2>&1; printf '\\n%s\\n' \"$?\""
    return f"{name}() {{\n{step.body()}\n}}\nexec {descriptor}< <({ran})"


def _printf(text: str) -> str:
    return f"printf '\\n%s\\n' {shlex.quote(text)}"


@dataclass
class StepResult:
    """What a step printed (both streams, in order) and its exit code; `must`: the step's."""

    name: str
    output: str = ""
    code: int | None = None
    must: bool = True

    @property
    def ok(self) -> bool:
        return self.code == 0


@dataclass
class ScriptResult:
    """The steps that were started, in order. `complete`: the script reached its end, with its
    last step or with a failed step that had to succeed."""

    steps: list[StepResult] = field(default_factory=list)
    complete: bool = False

    def __getitem__(self, name: str) -> StepResult:
        """The result of a step; KeyError if it was not started."""
        for step in self.steps:
            if step.name == name:
                return step
        raise KeyError(name)

    def output(self, name: str) -> str:
        """What a step printed; empty if it was not started."""
        return next((step.output for step in self.steps if step.name == name), "")

    @property
    def failed(self) -> StepResult | None:
        """The step that ended the script early, if any: one that must not fail."""
        last = self.steps[-1] if self.steps else None
        return last if last and last.must and not last.ok else None


class Transcript:
    """Reads a script's output as it arrives. `over`: nothing more of it will come.

    `on_line(step name, line)` is called for every whole line of a step, `on_begin(step
    name)` and `on_end(result)` at its marks.
    """

    def __init__(
        self,
        script: Script,
        mark: str,
        *,
        on_begin: Callable[[str], None] | None = None,
        on_line: Callable[[str, str], None] | None = None,
        on_end: Callable[[StepResult], None] | None = None,
    ) -> None:
        self.result = ScriptResult()
        self.over = False
        self._script = script
        self._mark = mark
        self._on_begin = on_begin
        self._on_line = on_line
        self._on_end = on_end
        self._rest = ""
        self._lines: list[str] | None = None
        self._numbered = {str(number): step for number, step in enumerate(script.steps)}

    def feed(self, text: str) -> None:
        """Take in the next piece of output, cut anywhere."""
        *lines, self._rest = (self._rest + text).split("\n")
        for line in lines:
            self._take(line)

    def _take(self, line: str) -> None:
        word, _, told = line.rstrip("\r").partition(" ")
        if word == self._mark:
            self._take_mark(told)
        elif self._lines is not None:
            if not self._script.endless:
                self._lines.append(line)
            if self._on_line:
                self._on_line(self.result.steps[-1].name, line.rstrip("\r"))

    def _take_mark(self, told: str) -> None:
        """What is no mark of this script is skipped."""
        word, *numbers = told.split(" ")
        if told == "done":
            self.result.complete = True
        elif told == "over":
            self.over = True
        elif word == "begin" and len(numbers) == 1 and numbers[0] in self._numbered:
            self._begin(self._numbered[numbers[0]])
        elif word == "end" and len(numbers) == 2 and self._lines is not None:
            code = whole_number(numbers[1])
            self._end(1 if code is None else code)

    def _begin(self, step: Step) -> None:
        self.result.steps.append(StepResult(step.name, must=step.must))
        self._lines = []
        if self._on_begin:
            self._on_begin(step.name)

    def _end(self, code: int) -> None:
        step = self.result.steps[-1]
        # The mark begins with a newline of its own, which is not part of the output.
        step.output = "\n".join(self._lines or [])
        step.code = code
        self._lines = None
        if code != 0 and step.must:
            self.result.complete = True
        if self._on_end:
            self._on_end(step)

    @property
    def unfinished(self) -> str:
        """The name of the step that was running when the output ended; empty if none."""
        steps = self.result.steps
        return steps[-1].name if steps and steps[-1].code is None else ""


# The group can read files, everybody can pass through directories.
UMASK = Command("umask", "0026")


# Exit codes of coreutils' `timeout` when the time is up, the second if that was ignored; a
# program that is killed for other reasons, such as memory, has the second one too.
TIME_IS_UP, KILLED = 124, 137


def tail(output: str, lines: int = 15) -> str:
    """The last lines, for people: without data, which may hold the values of variables."""
    return "\n".join(map(_brief, split_lines(output.strip())[-lines:]))


def _brief(line: str) -> str:
    if _DATA.search(line):
        return f"({len(line)} characters of data)"
    return line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…"


# JSON, whole or cut off anywhere: how it begins, a key, how it ends.
_DATA = re.compile(r'^\s*(\{"|\[[{"])|[{,]\s*"[^"]*"\s*:|"\s*[}\]]')
# Characters of a line that says what failed.
_LONGEST = 500


def json_object(output: str) -> dict[str, Any] | None:
    """The first JSON object in an output; None if there is none."""
    return next(json_objects(output), None)


def json_objects(output: str) -> Iterator[dict[str, Any]]:
    """The JSON objects in an output, each of which begins a line and ends one.

    All else is skipped: log lines, other values, what was cut off or can't be read.
    """
    decoder, at = json.JSONDecoder(), 0
    while begin := _BEGIN.search(output, at):
        try:
            value, at = decoder.raw_decode(output, begin.start())
        except (ValueError, RecursionError):
            at = begin.end()
            continue
        if _END.match(output, at):
            yield _encodable(value) if _SURROGATE.search(output, begin.start(), at) else value


def _encodable(value: dict[str, Any]) -> dict[str, Any]:
    """The same value without halves of characters, which JSON may have and no other text."""
    text = json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")
    found: dict[str, Any] = json.loads(text)
    return found


_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


_BEGIN = re.compile(r"^\{", re.MULTILINE)
_END = re.compile(r"\s*?$", re.MULTILINE)


def write_line(text: str, path: PurePosixPath) -> Command:
    """Write a line to a file, atomically, and through no link that somebody else put there."""
    partial = f"{path}.new"
    return Command(
        *("rm", "-f", partial, Raw("&&")),
        *(Raw("( set -C;"), "printf", "%s\\n", text, Raw(">"), partial, Raw(") &&")),
        *("mv", "-fT", partial, str(path)),
    )
