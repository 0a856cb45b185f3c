"""What kubectl prints: its complaints, its own log lines, its answers in JSON. Pure."""

from __future__ import annotations

import re
from typing import Any

from spinstack.platforms.base import Garbled
from spinstack.text import split_lines
from spinstack.transport.command import MASK
from spinstack.transport.script import json_objects

# A page, from something on the way that answers in the server's place.
_PAGE = r"<(!|\?xml|[Hh][Tt][Mm][Ll])"
_ERRORS = (
    r"[Ee]rror: |error when |Error from server|Unable to connect to the server|"
    r"The connection to the server |context \"[^\"]*\" does not exist|"
    rf"[Tt]he [^ ]+ \"[^\"]*\" is invalid|{_PAGE}"
)
ERROR_PATTERN = f"^({_ERRORS})"
COMPLAINT_PATTERN = f"^({_ERRORS}|Warning: )"
# Log lines of the Kubernetes libraries: level, month and day, time.
_LOG = r"[IWEF][0-9]{4} [0-9:.]+ +[0-9]+ [^ ]+\] "
_NOISE = re.compile(
    rf"{_LOG}|Warning: |No resources found|Defaulted container |command terminated with exit code "
)
_ERROR = re.compile(ERROR_PATTERN)
_COMPLAINT = re.compile(COMPLAINT_PATTERN)

# What it says of an object that is not there, that is there already, or that has changed.
NOT_FOUND = "Error from server (NotFound)"
EXISTS = "Error from server (AlreadyExists)"
CONFLICT = "Error from server (Conflict)"


def complaints(text: str, *, errors_only: bool = False) -> list[str]:
    """The lines that complain, each once; with the list that may follow one."""
    pattern = _ERROR if errors_only else _COMPLAINT
    found: list[str] = []
    listing = False
    for line in split_lines(text):
        if pattern.match(line):
            found.append(line)
        elif listing and line.startswith("* "):
            found[-1] += f" {line[2:]}"
            continue
        listing = bool(pattern.match(line))
    return list(dict.fromkeys(found))


def is_noise(line: str) -> bool:
    """Whether a line is kubectl's own and no answer."""
    return bool(_NOISE.match(line))


def bare(text: str) -> list[str]:
    """The lines that are not noise."""
    return [line for line in split_lines(text) if line.strip() and not is_noise(line)]


def items(text: str) -> list[dict[str, Any]]:
    """The objects of the list that `get -o json` printed; none if nothing was printed (a dry run).
    Raises Garbled for anything else."""
    if not text.strip():
        return []
    found = next(json_objects(text), {})
    listed = found.get("items")
    if not isinstance(listed, list) or complaints(text, errors_only=True):
        raise Garbled(text)
    return [one for one in listed if isinstance(one, dict)]


def rows(text: str, word: str, fields: int) -> list[list[str]]:
    """The rows of a template that `range` made: each begins with the word and has so many fields
    after it, TABs between them; a line `end` shows that all are there. Empty if nothing was
    printed. Raises Garbled for anything else."""
    lines = bare(text)
    if not lines:
        return []
    if lines[-1] != "end":
        raise Garbled(text)
    found = [line.split("\t") for line in lines[:-1]]
    if any(row[0] != word or len(row) != fields + 1 for row in found):
        raise Garbled(text)
    return [row[1:] for row in found]


def template(word: str, *fields: str) -> str:
    """The JSONPath template of such rows."""
    columns = "".join(f'{{"\\t"}}{field}' for field in fields)
    return f'jsonpath={{range .items[*]}}{word}{columns}{{"\\n"}}{{end}}{{"end\\n"}}'


# Of `describe`: where the variables of a container begin, and one with its value.
_ENVIRONMENT = re.compile(r"( *)Environment:\s*$")
_VARIABLE = re.compile(r"( *[^\s:]+: +)(.*)")
_REFERENCE = "<set to the "


def without_values(text: str) -> str:
    """What `describe` printed, without the values of variables: some files of people's stacks have
    secrets in them. Source: kubernetes/kubectl, pkg/describe, describeContainerEnvVars."""
    found = []
    above: int | None = None
    for line in split_lines(text):
        begins = _ENVIRONMENT.fullmatch(line)
        depth = len(line) - len(line.lstrip())
        if above is not None and (depth > above or not line.strip()):
            variable = _VARIABLE.fullmatch(line)
            # Without a name it is a further line of a value.
            if variable and variable[2].startswith(_REFERENCE):
                found.append(line)
            elif variable:
                found.append(f"{variable[1]}{MASK}")
            continue
        above = len(begins[1]) if begins else None
        found.append(line)
    return "\n".join(found)
