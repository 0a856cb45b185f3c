"""The variables of a compose file, as Rancher's client fills them in (rancher 0.6.7,
`config/interpolation.go`): `$NAME`, `${NAME}`, and `$$` for a dollar sign.

There are no defaults, and an unset variable is empty. Any other dollar sign makes the client
refuse the whole file. It fills in some sections only and does not look into the others.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from spinstack.config.compose import ComposeFile
from spinstack.rules.finding import Finding

SECTIONS = ("services", "containers", "volumes", "networks")

_REFERENCE = re.compile(
    r"\$(?:(?P<escaped>\$)|(?P<bare>[A-Za-z_][A-Za-z0-9_]*)|\{(?P<braced>[A-Za-z0-9_]+)\}"
    r"|(?P<refused>\{[^}\n]*\}|\{[^}\s]*|[^\s{]?))"
)
# What a form such as `${NAME:-default}` is about.
_MEANT = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)[^A-Za-z0-9_].*\}")
_LEADING = re.compile(
    r"\$(?:(?P<bare>[A-Za-z_][A-Za-z0-9_]*)|\{(?P<braced>[A-Za-z0-9_]+)\})(?=[:/]|$)"
)


@dataclass(frozen=True)
class Reference:
    """A dollar sign in a compose file: as written, the variable's name (empty if the client
    refuses it), and the path of the value."""

    written: str
    name: str
    path: tuple[str, ...]


def references(file: ComposeFile) -> Iterator[Reference]:
    """Every variable, and every refused dollar sign, of the sections that are filled in."""
    for section in SECTIONS:
        yield from _references(file.data.get(section), (section,))


def _references(value: Any, path: tuple[str, ...]) -> Iterator[Reference]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _references(item, (*path, str(key)))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _references(item, (*path, str(index)))
    elif isinstance(value, str):
        for match in _REFERENCE.finditer(value):
            if not match["escaped"]:
                yield Reference(match[0], match["bare"] or match["braced"] or "", path)


def filled(file: ComposeFile, values: Mapping[str, str]) -> dict[str, Any]:
    """The data of a compose file with its variables filled in, where the client does that."""
    return {
        key: interpolate(value, values) if key in SECTIONS else value
        for key, value in file.data.items()
    }


def interpolate(value: Any, values: Mapping[str, str]) -> Any:
    """The same structure with its variables filled in; unset ones are empty. What the client
    refuses is left as it is."""
    if isinstance(value, dict):
        return {key: interpolate(item, values) for key, item in value.items()}
    if isinstance(value, list):
        return [interpolate(item, values) for item in value]
    if isinstance(value, str):
        return _REFERENCE.sub(lambda match: _value(match, values), value)
    return value


def _value(match: re.Match[str], values: Mapping[str, str]) -> str:
    if match["escaped"]:
        return "$"
    name = match["bare"] or match["braced"]
    return values.get(name, "") if name else match[0]


def rewritten(text: str, old: str, new: str) -> str:
    """The text with one form of a variable, such as `${NAME:-default}`, in place of another, where
    it is one: behind a dollar sign that is escaped, it is not."""
    return _REFERENCE.sub(lambda match: new if match[0] == old else match[0], text)


def leading_variable(text: str) -> str:
    """The variable that is a text's first part, as in `${WEB_PORT}:8080`; empty if none is."""
    match = _LEADING.match(text)
    return (match["bare"] or match["braced"]) if match else ""


def findings(file: ComposeFile, values: Mapping[str, str]) -> list[Finding]:
    """Variables that are not set, and dollar signs that the client refuses: one for each place
    in the file, however many services refer to it."""
    found = (_finding(file, reference, values) for reference in references(file))
    return list(dict.fromkeys(one for one in found if one))


def _finding(file: ComposeFile, it: Reference, values: Mapping[str, str]) -> Finding | None:
    where = file.where(*it.path)
    if it.name:
        if values.get(it.name):
            return None
        problem = f"${{{it.name}}} is not set and would be empty"
        remedy = f"set {it.name} in the env file"
        near = difflib.get_close_matches(it.name, [name for name in values if values[name]], 1)
        if near:
            remedy += f", or write ${{{near[0]}}} here"
        return Finding("variable-unset", where, problem, remedy)
    meant = _MEANT.fullmatch(it.written)
    remedy = "write $$ for a dollar sign"
    if meant:
        remedy = f"write ${{{meant[1]}}}, and set {meant[1]} in the env file"
    return Finding("variable-form", where, f"{it.written} can't be read in a compose file", remedy)
