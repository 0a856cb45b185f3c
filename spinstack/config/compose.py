"""The compose file of a stack, with the line of everything in it.

A stack's compose file means what Rancher's client makes of it (format version 2, rancher 0.6.7),
whichever platform runs the stack, so that it means one thing only: first its templates are filled
in (`templates.py`), then it is YAML as that client reads it (`goyaml.py`), then variables are
filled in (`interpolation.py`). What the client would refuse in it is the platform's to say.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from spinstack.config import goyaml, templates
from spinstack.rules.finding import Finding

# In newer formats, x-… keys are for anchors and the like; the client does not read them.
EXTENSION = "x-"
# Of these, the client makes text of every value.
_TEXTS = ("environment", "labels")
_TEXT_PATHS = [(key,) for key in _TEXTS]
# Section, name, key of a service: the client reads these as text, whatever they look like.
_TEXT_KEYS = 3


@dataclass
class ComposeFile:
    """A parsed compose file: `data` as written, the line of each key by its path, findings
    about what could not be read. `advice`: findings about what could. `twice`: key, first and
    later line of duplicate keys. `no_text`: keys inside a service that are not text, by path.
    `changed`: variables and labels that reach the container otherwise than written, with what
    YAML takes them for, by path."""

    source: str
    data: dict[str, Any] = field(default_factory=dict)
    lines: dict[tuple[str, ...], int] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    advice: list[Finding] = field(default_factory=list)
    twice: list[tuple[str, int, int]] = field(default_factory=list)
    no_text: dict[tuple[str, ...], str] = field(default_factory=dict)
    changed: dict[tuple[str, ...], str] = field(default_factory=dict)

    def where(self, *path: str) -> str:
        """File and line of a key, or of the nearest key above it."""
        for length in range(len(path), 0, -1):
            if path[:length] in self.lines:
                return f"{self.source}:{self.lines[path[:length]]}"
        return self.source

    @property
    def services(self) -> dict[str, Any]:
        services = self.data.get("services")
        return services if isinstance(services, dict) else {}


def parse(text: str, source: str, *, optional: bool = False) -> ComposeFile:
    """Read a compose file. Broken YAML is a finding, with its line, not an exception.

    `optional`: for a file that may have no services.
    """
    file = ComposeFile(source)
    filled, found = templates.filled(text, source)
    if filled is None:
        file.findings += found
        return file
    file.advice += found
    try:
        documents = goyaml.documents(filled)
        root = next(documents, None)
        _refuse_knots(root)
        _Builder(file).build(root)
    except (yaml.YAMLError, RecursionError) as error:
        file.data = {}
        mark = getattr(error, "problem_mark", None)
        where = f"{source}:{mark.line + 1}" if mark else source
        problem = f"not valid YAML: {getattr(error, 'problem', None) or error}"
        file.findings.append(Finding("yaml", where, problem, "fix this line or one above it"))
        return file
    _more_documents(file, documents)
    if not optional and not file.services:
        problem = "no services"
        remedy = "add services: with app: and so on"
        near = difflib.get_close_matches("services", [str(key) for key in file.data], 1)
        if near and near[0] != "services":
            remedy = f"write services: in place of {near[0]}:"
        file.findings.append(Finding("compose-services", source, problem, remedy))
        file.data = {}
    return file


def _more_documents(file: ComposeFile, documents: Iterator[yaml.Node]) -> None:
    try:
        second = next(documents, None)
        line = second.start_mark.line + 1 if second else 0
    except (yaml.YAMLError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else 1
    if line:
        problem = "a second document begins above, and only the first one is read"
        remedy = "remove the line --- and join the two"
        file.advice.append(Finding("yaml", f"{file.source}:{line}", problem, remedy))


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


class _Builder:
    """Makes the values of a file from its nodes, and notes the line of each: that where it is
    written, also of a value that a merge key brings."""

    def __init__(self, file: ComposeFile) -> None:
        self._file = file

    def build(self, root: yaml.Node | None) -> None:
        """Raises yaml.MarkedYAMLError for what the client's YAML can't be."""
        if not isinstance(root, yaml.MappingNode):
            return
        self._file.data = self._mapping(root, ())
        for service in self._file.services.values():
            for key in _TEXTS:
                if isinstance(service, dict) and key in service:
                    service[key] = _texts(service[key])

    def _value(self, node: yaml.Node, path: tuple[str, ...]) -> Any:
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self._value(*self._noted(item, path, i)) for i, item in enumerate(node.value)]
        assert isinstance(node, yaml.ScalarNode)
        if path == ("version",):
            return str(node.value)
        value = goyaml.scalar(node)
        if isinstance(value, str) and "\0" in value:
            raise yaml.MarkedYAMLError(problem="a NUL in a text", problem_mark=node.start_mark)
        becomes_text = path[:1] == ("services",) and path[2:3] in _TEXT_PATHS
        if becomes_text and value is not None and goyaml.shown(value) != node.value:
            self._file.changed[path] = "boolean" if isinstance(value, bool) else "number"
        return value

    def _noted(
        self, node: yaml.Node, path: tuple[str, ...], index: int
    ) -> tuple[yaml.Node, tuple[str, ...]]:
        here = (*path, str(index))
        self._file.lines[here] = node.start_mark.line + 1
        return node, here

    def _mapping(self, node: yaml.MappingNode, path: tuple[str, ...]) -> dict[Any, Any]:
        self._note_twice(node)
        made = {}
        for key, value in goyaml.pairs(node):
            name = self._name(key, path)
            here = (*path, str(name))
            self._file.lines[here] = key.start_mark.line + 1
            if not isinstance(name, str):
                self._file.no_text[here] = str(key.value)
            unread = not path and str(name).startswith(EXTENSION)
            made[name] = None if unread else self._value(value, here)
        return made

    def _name(self, key: yaml.Node, path: tuple[str, ...]) -> Any:
        if not isinstance(key, yaml.ScalarNode):
            raise yaml.MarkedYAMLError(problem="invalid map key", problem_mark=key.start_mark)
        value = goyaml.scalar(key)
        if len(path) >= _TEXT_KEYS:
            return value
        return "" if value is None else str(key.value)

    def _note_twice(self, node: yaml.MappingNode) -> None:
        first: dict[str, int] = {}
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode) or goyaml.is_merge(key):
                continue
            line = key.start_mark.line + 1
            if key.value in first:
                again = (key.value, first[key.value], line)
                if again not in self._file.twice:
                    self._file.twice.append(again)
            first.setdefault(key.value, line)


def _texts(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _texts(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_texts(item) for item in value]
    return None if value is None else goyaml.shown(value)
