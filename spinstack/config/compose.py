"""The compose file of a stack: YAML with line numbers, variables filled in, services.

Interpolation as Rancher's CLI does it (v0.6.7): `$VAR`, `${VAR}`, `$$` for a dollar sign, no
defaults (`${VAR:-x}` is an error), an unset variable is empty.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from spinstack.rules.finding import Finding
from spinstack.rules.service import Mount, Port, Service

_VARIABLE = re.compile(r"\$(?:(?P<escaped>\$)|(?P<bare>[A-Za-z_]\w*)|\{(?P<braced>[^}]*)\})")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# A variable that is all there is before a colon, as in `${WEB_PORT}:8080`.
_LEADING = re.compile(r"\$(?:(?P<bare>\w+)|\{(?P<braced>\w+)\}):")


@dataclass
class ComposeFile:
    """A parsed compose file: `data` as written, the line of each key by its path, findings
    about what could not be read. `twice`: key, first and later line of duplicate keys."""

    source: str
    data: dict[str, Any] = field(default_factory=dict)
    lines: dict[tuple[str, ...], int] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    twice: list[tuple[str, int, int]] = field(default_factory=list)

    def where(self, *path: str) -> str:
        """File and line of a key, or of the nearest key above it."""
        for length in range(len(path), 0, -1):
            if path[:length] in self.lines:
                return f"{self.source}:{self.lines[path[:length]]}"
        return self.source

    @property
    def services(self) -> dict[str, Any]:
        services = self.data.get("services")
        found = services if isinstance(services, dict) else {}
        return {str(name): service for name, service in found.items()}


def parse(text: str, source: str) -> ComposeFile:
    """Read a compose file. Broken YAML is a finding, with its line, not an exception."""
    file = ComposeFile(source)
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        _refuse_knots(root)
        data = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{source}:{mark.line + 1}" if mark else source
        problem = f"not valid YAML: {getattr(error, 'problem', None) or error}"
        file.findings.append(Finding("yaml", where, problem, "fix this line or the one above it"))
        return file
    if not isinstance(data, dict) or not isinstance(data.get("services"), dict):
        problem = "no services"
        remedy = "add services: with app: and so on"
        file.findings.append(Finding("compose-services", source, problem, remedy))
        return file
    file.data = data
    if root is not None:
        file.lines.update(_lines(root, ()))
        file.twice.extend(_twice(root))
    return file


# Far more than any stack has; a few lines of nested aliases can expand to billions.
_MOST_NODES = 100_000


def _refuse_knots(root: yaml.Node | None) -> None:
    """Raises YAMLError for aliases that contain themselves or expand to too much."""
    todo, seen = [root] if root else [], 0
    while todo:
        node = todo.pop()
        seen += 1
        if seen > _MOST_NODES:
            mark = node.start_mark
            raise yaml.MarkedYAMLError(problem="aliases expand to too much", problem_mark=mark)
        if isinstance(node, yaml.MappingNode):
            todo += [part for pair in node.value for part in pair]
        elif isinstance(node, yaml.SequenceNode):
            todo += node.value


def _twice(node: yaml.Node) -> Iterator[tuple[str, int, int]]:
    """Duplicate keys of a mapping: key, first line, later line."""
    if isinstance(node, yaml.MappingNode):
        first: dict[str, int] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if isinstance(key, yaml.ScalarNode) and first.setdefault(key.value, line) != line:
                yield key.value, first[key.value], line
            yield from _twice(value)
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _twice(item)


def _lines(node: yaml.Node, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], int]]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            here = (*path, str(key.value))
            yield here, key.start_mark.line + 1
            yield from _lines(value, here)
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            here = (*path, str(index))
            yield here, item.start_mark.line + 1
            yield from _lines(item, here)


def variables(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Every variable used in the values below, with the path of the value."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from variables(item, (*path, str(key)))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from variables(item, (*path, str(index)))
    elif isinstance(value, str):
        for match in _VARIABLE.finditer(value):
            name = match["bare"] or match["braced"]
            if name is not None:
                yield name, path


def interpolate(value: Any, values: Mapping[str, str]) -> Any:
    """The same structure with its variables filled in; unset ones are empty."""
    if isinstance(value, dict):
        return {key: interpolate(item, values) for key, item in value.items()}
    if isinstance(value, list):
        return [interpolate(item, values) for item in value]
    if isinstance(value, str):
        return _VARIABLE.sub(lambda match: _filled(match, values), value)
    return value


def _filled(match: re.Match[str], values: Mapping[str, str]) -> str:
    if match["escaped"]:
        return "$"
    return values.get(match["bare"] or match["braced"] or "", "")


def variable_findings(file: ComposeFile, values: Mapping[str, str]) -> list[Finding]:
    """Variables that are not set, and forms that no platform has to know."""
    findings = []
    for name, path in variables(file.data):
        where = file.where(*path)
        if not _NAME.fullmatch(name):
            problem = f"${{{name}}} can't be read in a compose file"
            findings.append(
                Finding(
                    "variable-form",
                    where,
                    problem,
                    "write ${NAME}, and set defaults in the env file",
                )
            )
        elif not values.get(name):
            problem = f"${{{name}}} is not set and would be empty"
            findings.append(
                Finding("variable-unset", where, problem, f"set {name} in the env file")
            )
    return findings


def service(
    file: ComposeFile, name: str, values: Mapping[str, str]
) -> tuple[Service, list[Finding]]:
    """A service as typed values, and findings about what could not be read."""
    written = file.services.get(name)
    if not isinstance(written, dict):
        where = file.where("services", name)
        return Service(name, ""), [
            Finding("compose-type", where, f"{name} is not a mapping", "write image: and so on")
        ]
    filled = interpolate(written, values)
    reader = _Reader(file, name, filled)
    made = Service(
        name=name,
        image=str(filled.get("image") or ""),
        user=str(filled.get("user") or ""),
        group_add=tuple(reader.texts("group_add")),
        cap_add=tuple(reader.texts("cap_add")),
        cap_drop=tuple(reader.texts("cap_drop")),
        mounts=tuple(reader.parsed("volumes", Mount.parse)),
        ports=tuple(reader.parsed("ports", Port.parse)),
        builds="build" in filled,
        source=file.source,
        lines={**_own_lines(file, name), **reader.lines},
        variables=reader.variables,
    )
    return made, reader.findings


def _own_lines(file: ComposeFile, name: str) -> dict[str, int]:
    lines = {"": file.lines.get(("services", name), 0)}
    for path, line in file.lines.items():
        if path[:2] == ("services", name) and len(path) == 3:
            lines[path[2]] = line
    return lines


@dataclass
class _Reader:
    """Reads lists of a service, keeping a finding for each item that is malformed, and the
    line and leading variable of each that is not, by key and number."""

    file: ComposeFile
    name: str
    values: Mapping[str, Any]
    findings: list[Finding] = field(default_factory=list)
    lines: dict[str, int] = field(default_factory=dict)
    variables: dict[str, str] = field(default_factory=dict)

    def texts(self, key: str) -> list[str]:
        items = self.values.get(key) or []
        if isinstance(items, list):
            return [str(item) for item in items]
        where = self.file.where("services", self.name, key)
        self.findings.append(
            Finding("compose-type", where, f"{key} must be a list", f"write {key}: […]")
        )
        # Treated as a list of one, so that one mistake is one finding.
        return [str(items)]

    def parsed(self, key: str, parse: Any) -> list[Any]:
        made = []
        for index, text in enumerate(self.texts(key)):
            path = ("services", self.name, key, str(index))
            try:
                made.append(parse(text))
                item = f"{key}.{len(made) - 1}"
                self.lines[item] = self.file.lines.get(path, 0)
                self._begins_with_variable(item, index)
            except ValueError as error:
                where = self.file.where(*path)
                self.findings.append(Finding("compose-value", where, str(error), f"fix {key}"))
        return made

    def _begins_with_variable(self, item: str, index: int) -> None:
        written = self.file.services[self.name][item.partition(".")[0]]
        match = _LEADING.match(str(written[index] if isinstance(written, list) else written))
        if match:
            self.variables[item] = match["bare"] or match["braced"]
