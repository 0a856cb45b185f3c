"""What services report about themselves, for `status`: a command in a container of each.

The setting `stats` names it. What it prints is shown: a line of text, or a JSON object whose
`summary` is the line. It runs beside what `status` waits for anyway, for LIMIT seconds at most,
and its failure is only shown.
"""

from __future__ import annotations

import shlex
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from spinstack.platforms.base import NO_CONTAINER, Platform, ServiceState
from spinstack.platforms.client import StackClient
from spinstack.text import one_line, split_lines, whole_number
from spinstack.transport.command import Command, Raw, program
from spinstack.transport.script import Step, json_objects

# Seconds that a service has to answer.
LIMIT = 3
# Bytes to read of an answer.
MOST = 3000
# Characters to show of a summary.
WIDTH = 200
_MARK = "@spinstack stats"
_ASK = Path(__file__).with_name("ask.sh")
_NOTHING = "none of its containers is healthy"


@dataclass(frozen=True)
class Stats:
    """What a service reported: `summary` in a line, `fields` for a script; or, in words, the
    `problem` that prevented it."""

    summary: str = ""
    fields: Mapping[str, Any] = field(default_factory=dict)
    problem: str = ""

    @property
    def line(self) -> str:
        return self.summary or f"no stats: {self.problem}"

    def as_json(self) -> dict[str, Any]:
        if self.problem:
            return {"error": self.problem}
        return {**self.fields, "summary": self.summary}


def beside(
    steps: Sequence[Step], there: StackClient, asked: Mapping[str, Sequence[str]]
) -> list[Step]:
    """The steps with the questions beside them, and the answers, after marks, in the output of the
    step `containers`. If that is one of the steps, services are asked once it has listed them."""
    listing = there.platform.containers()
    others = [step for step in steps if step.name != listing.name]
    listed = listing.body() if len(others) < len(steps) else ":"
    read = Step(listing.name, (Command(Raw("cat <&9; wait")),), must=False)
    return [Step("stats", (_questions(there, listed, asked),), must=False), *others, read]


def _questions(there: StackClient, listing: str, asked: Mapping[str, Sequence[str]]) -> Command:
    """`ask.sh`, preceded by what it needs."""
    lines = [f"mark={shlex.quote(_MARK)}", f"most={MOST}", _function("listing", listing)]
    for index, (service, words) in enumerate(asked.items()):
        question = there.platform.ask(there.stack, service, words, LIMIT)
        lines.append(_function(f"question_{index}", question.script()))
    lines += [f"services=({shlex.join(asked)})", program(_ASK)]
    return Command(Raw("\n".join(lines)))


def _function(name: str, body: str) -> str:
    return f"{name}() {{\n{body}\n}}"


def listing(output: str) -> str:
    """What the step `containers` printed before the answers."""
    return f"\n{output}".split(f"\n{_MARK} ", 1)[0]


def read(
    output: str,
    asked: Iterable[str],
    services: Iterable[ServiceState],
    platform: Platform,
    answering: Container[str] | None = None,
) -> dict[str, Stats]:
    """What the services that are up have reported, from the output of the step `containers`.
    `answering`: those that had a healthy container to be asked; None if the answers say so."""
    answers: dict[str, Stats] = {}
    for part in f"\n{output}".split(f"\n{_MARK} ")[1:]:
        head, _, text = part.partition("\n")
        service, _, code = head.rpartition(" ")
        if code != str(NO_CONTAINER) and (answering is None or service in answering):
            number = whole_number(code)
            answers[service] = _told(text, 1 if number is None else number, platform)
    nothing = Stats(problem=_NOTHING)
    up = {state.name for state in services if state.up}
    return {name: answers.get(name, nothing) for name in asked if name in up or name in answers}


def _told(text: str, code: int, platform: Platform) -> Stats:
    # Killed at once after the limit, or only by force.
    if code in (124, 137):
        return Stats(problem=f"no answer within {LIMIT} s")
    lines = [line.strip() for line in split_lines(text) if line.strip()]
    # SIGPIPE: it was still printing.
    if code == 141 or len(text.encode(errors="replace")) >= MOST:
        return Stats(problem=f"its answer is longer than {MOST} bytes")
    if code:
        # The last line sums up a program's failure, even a Python traceback.
        said = platform.complaints(text, errors_only=True) or lines
        return Stats(problem=_shown(said[-1]) if said else f"exit code {code}")
    own = [line for line in lines if not platform.is_noise(line)]
    fields = next(filter(None, json_objects("\n".join(own))), None)
    if fields:
        summary = fields.get("summary") or ", ".join(f"{key} {fields[key]}" for key in fields)
        return Stats(_shown(str(summary)), fields)
    return Stats(_shown(own[0])) if own else Stats(problem="it printed nothing")


def _shown(text: str) -> str:
    """As much of it as fits on one line."""
    line = one_line(text)
    return line if len(line) <= WIDTH else f"{line[: WIDTH - 1]}…"
