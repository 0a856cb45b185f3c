"""The env file of a stack: `NAME=VALUE` lines, comments and empty lines.

Values are literal, as Rancher's CLI takes them: no quotes, no `export`, no interpolation
(`rancher up --env-file`, v0.6.7). Comments are ours: a release's copy has none, because the
CLI would define a variable called `# …`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from spinstack.rules.finding import Finding

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True)
class Variable:
    """A variable and the line (from 1) it was set in."""

    value: str
    line: int


def parse(text: str, source: str) -> tuple[dict[str, Variable], list[Finding]]:
    """The variables of an env file, and what is wrong with its lines."""
    variables: dict[str, Variable] = {}
    findings = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        name, equals, value = line.partition("=")
        where = f"{source}:{number}"
        finding = _wrong(name, equals, value, where)
        if finding:
            findings.append(finding)
            # The meaning is usually clear: the other rules continue with it.
            name, equals, value = mended(line).partition("=")
            if _wrong(name, equals, value, where):
                continue
        if name in variables:
            problem = f"{name} is set twice (first in line {variables[name].line})"
            findings.append(Finding("env-twice", where, problem, "keep one of the two lines"))
        variables[name] = Variable(value, number)
    return variables, findings


_MEANT = re.compile(r"\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=(.*)", re.DOTALL)


def mended(line: str) -> str:
    """A line as `NAME=VALUE`, the way a shell would read it: without `export` and without blanks
    and quotes around name and value. Any other line is returned as it is."""
    match = _MEANT.fullmatch(line)
    if not match:
        return line
    value = match[2].strip()
    while len(value) > 1 and value[0] == value[-1] and value[0] in "'\"":
        value = value[1:-1].strip()
    return f"{match[1]}={value}"


def _wrong(name: str, equals: str, value: str, where: str) -> Finding | None:
    if not equals or not _NAME.fullmatch(name):
        problem = f"{name.strip()!r} is not NAME=VALUE"
        remedy = (
            "write a name of letters, digits and _, then = without spaces around it, and a value"
        )
        return Finding("env-line", where, problem, remedy)
    if value != value.strip() or (len(value) > 1 and value[0] == value[-1] and value[0] in "'\""):
        problem = f"the value of {name} has spaces or quotes around it, which would be part of it"
        return Finding(
            "env-quotes", where, problem, f"write {name}={value.strip(' ')[:60].strip()}"
        )
    return None


def text(variables: Mapping[str, str]) -> str:
    """An env file of these variables, as a release has it. ValueError for a line break."""
    for name, value in variables.items():
        if set(value) & set("\r\n\0"):
            raise ValueError(f"the value of {name} contains a line break")
    return "".join(f"{name}={value}\n" for name, value in variables.items())
