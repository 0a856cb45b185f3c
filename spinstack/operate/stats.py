"""What services tell of themselves, for `status`: a command in a container of each.

The setting `stats` names it. What it prints is shown: a line of text, or a JSON object whose
`summary` is the line. Nobody waits for it beside what `status` waits for anyway, but for as
long as LIMIT, and its failure is only told.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from spinstack.errors import UsageError
from spinstack.platforms.base import ServiceState
from spinstack.platforms.rancher1 import containers
from spinstack.platforms.rancher1 import output as rancher_output
from spinstack.transport.command import Command, Raw
from spinstack.transport.script import Step

# Seconds that a service has for its answer.
LIMIT = 3
# Bytes of an answer that are read.
MOST = 3000
# Characters of a summary that are shown.
WIDTH = 200
_MARK = "@spinstack stats"

# The id of the first container with such a name, if it runs and is healthy where it has a
# check: an upgrade keeps old ones of the very same name, stopped.
_ID = (
    '$0 ~ name && /"CombinedState":"(running|healthy)"/ && match($0, /"ID":"[^"]+"/)'
    " { print substr($0, RSTART + 6, RLENGTH - 7); exit }"
)
# ask SERVICE NAME COMMAND…: its mark with the exit code, and what it printed. The input is a pipe
# that nobody writes to and that does not end: at its end the CLI drops output and exit code.
_ASK = f"""ask() {{
  id=$(printf '%s\\n' "$found" | awk -v name="$2" {shlex.quote(_ID)}); [ -n "$id" ] || return
  said=$(timeout -k 1 {LIMIT} rancher exec "$id" "${{@:3}}" <> <(:) 2>&1 | head -c {MOST}
    exit "${{PIPESTATUS[0]}}")
  printf '%s\\n' "{_MARK} $1 $?" "$said"
}}"""


@dataclass(frozen=True)
class Stats:
    """What a service told: `summary` in a line, `fields` for a script; or the `problem` that
    kept it from that, in words."""

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


def commands(setting: Mapping[str, Any]) -> dict[str, list[str]]:
    """The setting's commands as words, by service. Raises UsageError for one that can't be
    read."""
    return {str(name): _words(str(name), text) for name, text in setting.items() if text}


def _words(service: str, text: object) -> list[str]:
    try:
        words = shlex.split(text) if isinstance(text, str) else []
    except ValueError:
        words = []
    if not words:
        raise UsageError(
            f"{text!r} is no command",
            where=f"spinstack.stats.{service}",
            remedy=f"a program and its arguments, as `invoke exec --service {service}` takes them",
        )
    return words


def beside(steps: Iterable[Step], stack: str, asked: Mapping[str, Sequence[str]]) -> list[Step]:
    """The steps of `status`, with the services asked meanwhile: from the step `containers` on
    in the background, which is begun first and whose output is read last."""
    listing, others = containers.containers_step(), []
    for step in steps:
        if step.name == listing.name:
            listing = step
        else:
            others.append(step)
    lines = [
        "exec {told}< <(",
        f"  found=$({listing.body()} 2>&1)",
        "  printf '%s\\n' \"$found\"",
        # All at once, told one after the other.
        "  cat " + " \\\n    ".join(f"<({_call(stack, *item)})" for item in asked.items()),
        ")",
    ]
    begin = (Command(Raw(_ASK)), Command(Raw("\n".join(lines))))
    read = Step(listing.name, (Command(Raw('cat <&"$told"')),), must=False)
    return [Step("stats", begin, must=False), *others, read]


def _call(stack: str, service: str, words: Sequence[str]) -> str:
    name = f"{stack}-{service}".replace(".", "[.]")
    return Command("ask", service, f'"name":"{name}-[0-9]+"', *words).script()


def read(output: str, asked: Iterable[str], services: Iterable[ServiceState]) -> dict[str, Stats]:
    """What the services that are up have told, from the output of the step `containers`."""
    answers: dict[str, Stats] = {}
    for part in f"\n{output}".split(f"\n{_MARK} ")[1:]:
        head, _, text = part.partition("\n")
        service, _, code = head.rpartition(" ")
        answers[service] = _told(text, int(code) if code.isdecimal() else 1)
    nothing = Stats(problem="Rancher names no container of it that is well")
    up = {state.name for state in services if state.up}
    return {name: answers.get(name, nothing) for name in asked if name in up or name in answers}


def _told(text: str, code: int) -> Stats:
    # Killed at once after the limit, or only by force.
    if code in (124, 137):
        return Stats(problem=f"no answer within {LIMIT} s")
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    # SIGPIPE: it was still printing.
    if code == 141 or len(text.encode()) >= MOST:
        return Stats(problem=f"its answer is longer than {MOST} bytes")
    if code:
        # Of a program's failure the last line is the gist, also of a Python traceback.
        said = rancher_output.complaints(text, ("error", "fatal")) or lines
        return Stats(problem=_shown(said[-1]) if said else f"exit code {code}")
    own = [line for line in lines if not rancher_output.parse_log(line)]
    fields = next(filter(None, map(_object, own)), None)
    if fields:
        summary = fields.get("summary") or ", ".join(f"{key} {fields[key]}" for key in fields)
        return Stats(_shown(str(summary)), fields)
    return Stats(_shown(own[0])) if own else Stats(problem="it printed nothing")


def _object(line: str) -> dict[str, Any] | None:
    try:
        value = json.loads(line)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _shown(text: str) -> str:
    """One line that does nothing to a terminal."""
    line = "".join(char if char.isprintable() else " " for char in text).strip()
    return line if len(line) <= WIDTH else f"{line[: WIDTH - 1]}…"
