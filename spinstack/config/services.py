"""The services of a compose file as typed values, and what in them can't be read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from spinstack.config import goyaml
from spinstack.config.compose import ComposeFile
from spinstack.config.interpolation import interpolate, leading_variable
from spinstack.rules.finding import Finding
from spinstack.rules.service import Mount, Port, Service

# What an item of these lists looks like.
_FORMS = {
    "ports": "OUTSIDE:INSIDE, such as '${WEB_PORT}:8080'",
    "volumes": "SOURCE:TARGET:MODE, such as ${DATA_DIR}:/app/data:ro",
    "env_file": "PATH, such as ./stack.env",
}


def read(file: ComposeFile, name: str, values: Mapping[str, str]) -> tuple[Service, list[Finding]]:
    """A service with its variables filled in, and findings about what could not be read."""
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
        image=_text(filled.get("image")),
        user=_text(filled.get("user")),
        group_add=tuple(reader.texts("group_add").values()),
        cap_add=tuple(reader.texts("cap_add").values()),
        cap_drop=tuple(reader.texts("cap_drop").values()),
        mounts=tuple(reader.parsed("volumes", Mount.parse)),
        ports=tuple(reader.parsed("ports", Port.parse)),
        expose=tuple(reader.texts("expose").values()),
        builds="build" in filled,
        source=file.source,
        lines={**_own_lines(file, name), **reader.lines},
        variables={**reader.variables, **_variable_of_group(written)},
    )
    if not isinstance(filled.get("env_file"), str):
        reader.texts("env_file")
    reader.expect_pairs("environment")
    reader.expect_pairs("labels")
    return made, reader.findings


def own_environment(written: Mapping[str, Any]) -> dict[str, str | None]:
    """What stands under `environment:` of a service: None for a name without a value, which the
    client takes from its own environment. Empty if it is neither a list nor a mapping."""
    return pairs(written.get("environment"))


def pairs(value: Any) -> dict[str, str | None]:
    """A mapping, or a list of `NAME=VALUE`, as names and values."""
    if isinstance(value, dict):
        return {str(key): _or_none(item) for key, item in value.items()}
    found: dict[str, str | None] = {}
    for item in value if isinstance(value, list) else ():
        name, equals, rest = _text(item).partition("=")
        found[name] = rest if equals else None
    return found


def env_files(written: Mapping[str, Any]) -> list[str]:
    """The files under `env_file:` of a service."""
    files = written.get("env_file")
    listed = files if isinstance(files, list) else [files]
    return [file for file in listed if isinstance(file, str)]


# What stands in a short form for a part that the long one lacks.
LACKING = {"PATH", "OUTSIDE", "INSIDE", "SOURCE", "TARGET"}


def short_form(key: str, item: Mapping[str, Any]) -> str:
    """An item of a list as format version 2 has it, from the long form of newer formats; with
    words in place of what it lacks."""
    if key == "env_file":
        return _text(item.get("path")) or "PATH"
    target = _text(item.get("target"))
    if key == "ports":
        protocol = _text(item.get("protocol"))
        ending = f"/{protocol}" if protocol not in ("", "tcp") else ""
        return f"{_text(item.get('published')) or 'OUTSIDE'}:{target or 'INSIDE'}{ending}"
    mode = ":ro" if item.get("read_only") is True else ""
    source = _text(item.get("source"))
    # A name alone would be a volume's.
    if source and item.get("type") == "bind" and source[0] not in "/.~$":
        source = f"./{source}"
    return f"{source or 'SOURCE'}:{target or 'TARGET'}{mode}"


def _text(value: Any) -> str:
    return "" if value is None or isinstance(value, (list, dict)) else goyaml.shown(value)


def _or_none(value: Any) -> str | None:
    return None if value is None else _text(value)


def _own_lines(file: ComposeFile, name: str) -> dict[str, int]:
    lines = {"": file.lines.get(("services", name), 0)}
    for path, line in file.lines.items():
        if path[:2] == ("services", name) and len(path) == 3:
            lines[path[2]] = line
    return lines


def _variable_of_group(written: Mapping[str, Any]) -> dict[str, str]:
    name = leading_variable(_text(written.get("user")).partition(":")[2])
    return {"user.group": name} if name else {}


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

    def texts(self, key: str) -> dict[int, str]:
        """The items of a list by their number in the file."""
        items = self.values.get(key)
        if items is None:
            return {}
        if not isinstance(items, list):
            problem, remedy = f"{key} must be a list", f"write {key}: […]"
            self.findings.append(Finding("compose-type", self._where(key), problem, remedy))
            # Treated as a list of one, so that one mistake is one finding.
            return {0: _text(items)} if _text(items) else {}
        found = {}
        for index, item in enumerate(items):
            if isinstance(item, (list, dict)) or item is None:
                self.findings.append(self._odd_item(key, index))
            else:
                found[index] = _text(item)
        return found

    def _odd_item(self, key: str, index: int) -> Finding:
        where = self._where(key, str(index))
        if key not in _FORMS:
            problem = f"{key} of {self.name} must be a list of text values"
            return Finding("compose-type", where, problem, "write each item as text")
        written = self.file.services[self.name][key][index]
        if not isinstance(written, dict):
            return Finding(
                "compose-value", where, f"an item of {key} that is no text", f"write {_FORMS[key]}"
            )
        problem = f"an item of {key} in the long form; only the short form is read"
        return Finding("compose-value", where, problem, f"write '{short_form(key, written)}'")

    def expect_pairs(self, key: str) -> None:
        """A finding if a key's value is neither a list nor a mapping."""
        value = self.values.get(key)
        if value is not None and not isinstance(value, (list, dict)):
            problem = f"{key} of {self.name} has a value of the wrong type"
            remedy = f"write {key}: with NAME: VALUE in it"
            self.findings.append(Finding("compose-type", self._where(key), problem, remedy))

    def parsed(self, key: str, parse: Any) -> list[Any]:
        made = []
        for index, text in self.texts(key).items():
            where = self._where(key, str(index))
            try:
                made.append(parse(text))
                item = f"{key}.{len(made) - 1}"
                self.lines[item] = self.file.lines.get(("services", self.name, key, str(index)), 0)
                self._begins_with_variable(item, index)
            except ValueError as error:
                remedy = f"write {_FORMS[key]}"
                self.findings.append(Finding("compose-value", where, str(error), remedy))
        return made

    def _begins_with_variable(self, item: str, index: int) -> None:
        written = self.file.services[self.name][item.partition(".")[0]]
        name = leading_variable(_text(written[index] if isinstance(written, list) else written))
        if name:
            self.variables[item] = name

    def _where(self, *path: str) -> str:
        return self.file.where("services", self.name, *path)
