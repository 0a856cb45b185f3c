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
from spinstack.text import split_lines

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# A number, a path or a text in quotes, and a comment behind it.
_COMMENTED = re.compile(r"""("[^"]*"|'[^']*'|[0-9]+|[^\s#]*/[^\s#]*)\s+(#.*)""")


@dataclass(frozen=True)
class Variable:
    """A variable and the line (from 1) it was set in."""

    value: str
    line: int


def parse(
    text: str, source: str, *, names_alone: bool = False
) -> tuple[dict[str, Variable], list[Finding]]:
    """The variables of an env file, and what is wrong with its lines.

    `names_alone`: whether a line may be a name without a value, as in a further env file of a
    service; it is passed over.
    """
    variables: dict[str, Variable] = {}
    findings = []
    for number, line in enumerate(split_lines(text), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if names_alone and _NAME.fullmatch(line.strip()):
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
    """A line as `NAME=VALUE`, the way a shell would read it: without `export`, without blanks
    and quotes around name and value, and without a comment behind a number, a path or quotes.
    Any other line is returned as it is."""
    match = _MEANT.fullmatch(line)
    if not match:
        return line
    value = match[2].strip()
    commented = _COMMENTED.fullmatch(value)
    if commented:
        value = commented[1]
    while len(value) > 1 and value[0] == value[-1] and value[0] in "'\"":
        value = value[1:-1].strip()
    return f"{match[1]}={value}"


def with_comment_above(line: str) -> str:
    """As `mended`, with a comment that stood behind the value on a line of its own above it."""
    match = _MEANT.fullmatch(line)
    commented = _COMMENTED.fullmatch(match[2].strip()) if match else None
    return f"{commented[2]}\n{mended(line)}" if commented else mended(line)


def _wrong(name: str, equals: str, value: str, where: str) -> Finding | None:
    if not equals or not _NAME.fullmatch(name):
        problem = f"{name.strip()!r} is not NAME=VALUE"
        remedy = "write a name of letters, digits and _ (a digit not first), then = without spaces "
        remedy += "around it, and a value"
        if meant := _MEANT.fullmatch(f"{name}{equals}{value}"):
            remedy = f"write {meant[1]}= and the value right behind it, without export or spaces"
        return Finding("env-line", where, problem, remedy)
    if set(value) & set("\r\0"):
        problem = f"the value of {name} has a line break or a NUL in it"
        return Finding("env-line", where, problem, "remove it: a value is the rest of one line")
    commented = _COMMENTED.fullmatch(value.strip())
    if commented:
        problem = f"the value of {name} has a comment behind it, which would be part of it"
        remedy = f"write {mended(f'{name}={value}')[:80]}, and the comment on a line of its own"
        return Finding("env-quotes", where, problem, remedy)
    if value != value.strip() or (len(value) > 1 and value[0] == value[-1] and value[0] in "'\""):
        problem = f"the value of {name} has spaces or quotes around it, which would be part of it"
        return Finding("env-quotes", where, problem, f"write {mended(f'{name}={value}')[:80]}")
    return None


def text(variables: Mapping[str, str]) -> str:
    """An env file of these variables, as a release has it. ValueError for a line break."""
    for name, value in variables.items():
        if set(value) & set("\r\n\0"):
            raise ValueError(f"the value of {name} contains a line break")
    return "".join(f"{name}={value}\n" for name, value in variables.items())
