"""The effective settings of a destination and the stack's variables, each with its origin.

Reads Invoke's layers as they are before Invoke merges them, and the YAML files again for line
numbers. Nothing here is secret: no layer contains secrets.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from spinstack.config import kubernetes, schema
from spinstack.config.settings import Destination, ImageSetting, Settings, plain
from spinstack.config.stack import COMPUTED_THERE, Stack
from spinstack.errors import SpinstackError
from spinstack.session import Session
from spinstack.text import read_yaml, without_password

PACKAGE = "package default"
ROOT = "spinstack"
# Mappings of which a destination may set only a part; others it replaces as a whole.
MERGED_KEYS = frozenset({"checkouts", "kubernetes"})

Path_ = tuple[str, ...]


@dataclass(frozen=True)
class Setting:
    """An effective value. `origin`: file and line, variable, or a word for anything else."""

    name: str
    value: Any
    origin: str

    def as_dict(self) -> dict[str, Any]:
        return {"name": self.name, "value": _masked(self.value), "origin": self.origin}


@dataclass(frozen=True)
class Layer:
    """One of Invoke's layers: its own values, and the file they come from."""

    values: Mapping[str, Any]
    file: Path | None
    name: str

    def get(self, path: Path_) -> Any:
        """The value of a key, None if this layer does not set it."""
        return _at(self.values, path)

    def origin(self, path: Path_) -> str:
        if self.file:
            return place(self.file, path)
        if self.name == "variable":
            return "INVOKE_" + "_".join(path).upper()
        return self.name


# The attributes in which Invoke 2 keeps its layers, strongest first; it has no public ones.
_LAYERS = (
    ("overrides", "command line"),
    ("runtime", "--config file"),
    ("env", "variable"),
    ("project", "invoke.yaml"),
    ("user", "~/.invoke.yaml"),
    ("system", "/etc/invoke.yaml"),
)


def layers(config: Any) -> list[Layer]:
    """What each of Invoke's layers sets, strongest first."""
    found = []
    for key, name in _LAYERS:
        values = plain(vars(config).get(f"_{key}") or {})
        path = vars(config).get(f"_{key}_path")
        file = Path(path) if path and values else None
        found.append(Layer(values, file, name))
    return found


def settings(found: list[Layer], given: Settings, destination: Destination) -> list[Setting]:
    """Every setting in effect at the destination, unset ones with the value None."""
    table = _Table(found, destination)
    rows = [row for key in schema.STACK_KEYS if key.name not in _NOT_SHOWN for row in table.of(key)]
    for key in schema.DESTINATION_KEYS:
        rows += [_filled(row, destination) for row in table.of(key, there=True)]
    return rows


_NOT_SHOWN = frozenset({"destinations"})


def _filled(row: Setting, destination: Destination) -> Setting:
    """Fill in what follows from other settings if it is not set itself."""
    if row.value is None and row.name == "namespace" and destination.namespace:
        return Setting("namespace", destination.namespace, "same as user")
    if row.value is None and row.name == "modules":
        return Setting("modules", list(destination.modules), "spin.yaml")
    return row


class _Table:
    """Looks up settings stage by stage: the destination's own, the included file, those for all
    destinations, the package."""

    def __init__(self, found: list[Layer], destination: Destination) -> None:
        self._layers = found
        self._own: Path_ = (ROOT, "destinations", destination.name)
        included = destination.included
        self._included = Layer(_yaml(included), included, "included") if included else None

    def of(self, key: schema.Key, *, there: bool = False) -> Iterator[Setting]:
        """The rows of a key: one, or one for each value of a mapping."""
        seen = set()
        for stage in self._stages(key.name, there):
            rows = list(self._rows(key.name, *stage))
            yield from (row for row in rows if row.name not in seen)
            seen |= {row.name for row in rows}
            if f"kubernetes.{kubernetes.SHORT}" in seen:
                seen.add(f"kubernetes.{kubernetes.LONG}")
            if rows and key.name not in MERGED_KEYS:
                return
        if not seen:
            yield Setting(key.name, key.default, PACKAGE if key.default is not None else "not set")

    def _stages(self, name: str, there: bool) -> Iterator[tuple[list[Layer], Path_]]:
        if there:
            yield self._layers, (*self._own, name)
            if self._included:
                yield [self._included], (name,)
        yield self._layers, (ROOT, name)

    def _rows(self, name: str, layers: list[Layer], path: Path_) -> Iterator[Setting]:
        """The rows of a stage: layers merge mappings key by key; each leaf has its own origin."""
        leaves: dict[Path_, Setting] = {}
        for layer in layers:
            value = layer.get(path)
            for leaf, item in _leaves(value, ()):
                if not any(_covers(known, leaf) for known in leaves):
                    label = ".".join((name, *leaf))
                    leaves[leaf] = Setting(label, item, layer.origin((*path, *leaf)))
        yield from leaves.values()


def _covers(known: Path_, leaf: Path_) -> bool:
    """Whether a stronger layer set something at this place, or above or below it."""
    shorter = min(len(known), len(leaf))
    return known[:shorter] == leaf[:shorter]


def _leaves(value: Any, path: Path_) -> Iterator[tuple[Path_, Any]]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _leaves(item, (*path, str(key)))
    elif value is not None:
        yield path, value


def variables(found: list[Layer], session: Session, stack: Stack) -> list[Setting]:
    """Every variable of the compose file as in a release, in the order in which it is written."""
    destination = session.destination
    table = _Table(found, destination)
    there = {row.name: row for row in table.of(_key("env"), there=True)}
    rows = []
    for name, value in stack.variables(destination).items():
        rows.append(Setting(name, value, _variable_origin(name, stack, destination, there)))
    rows += [_computed(name, table, destination) for name in COMPUTED_THERE]
    return rows


def _computed(name: str, table: _Table, destination: Destination) -> Setting:
    """The user's id: asked where a container's files are, or set, for a cluster can't be asked."""
    if destination.kubernetes is None:
        return Setting(name, None, "looked up on the login node")
    uid = destination.cluster.uid
    rows = {row.name: row for row in table.of(_key("kubernetes"), there=True)}
    origin = rows["kubernetes.uid"].origin if "kubernetes.uid" in rows else "not set"
    return Setting(name, None if uid is None else str(uid), origin)


def _variable_origin(
    name: str, stack: Stack, destination: Destination, there: Mapping[str, Setting]
) -> str:
    if name in stack.images:
        return "computed from the image's files"
    written = destination.env.get(name)
    origin = there[f"env.{name}"].origin if f"env.{name}" in there else ""
    if written is None or not origin:
        variable = stack.env[name]
        written, origin = variable.value, f"{stack.env_name}:{variable.line}"
    if name in stack.mount_variables() and not written.startswith("/"):
        return f"{origin}, below project_dir"
    return origin


def stack_of(session: Session) -> Stack:
    """The stack as far as it can be read: for an image that can't be named yet, the reason."""
    from spinstack.config import stack as config_stack

    images = {}
    for image in session.settings.images:
        images[image.variable] = _reference(session, image)
    return config_stack.read(session.settings, images, session.platform.beside)


def _reference(session: Session, image: ImageSetting) -> str:
    try:
        return session.image_reference(image)
    except SpinstackError as error:
        return f"({error.what})"


def _key(name: str) -> schema.Key:
    return next(key for key in schema.DESTINATION_KEYS if key.name == name)


def _at(values: Any, path: Path_) -> Any:
    for part in path:
        if not isinstance(values, Mapping) or part not in values:
            return None
        values = values[part]
    return values


def place(file: Path, path: Path_) -> str:
    """File and line of a key, or of the nearest key above it."""
    lines = _lines_of(file)
    for length in range(len(path), 0, -1):
        if path[:length] in lines:
            return f"{shown(file)}:{lines[path[:length]]}"
    return shown(file)


def shown(file: Path) -> str:
    """A path as a person would write it: relative to the current or the home directory."""
    for root, prefix in ((Path.cwd(), ""), (Path.home(), "~/")):
        if file.is_absolute() and file.is_relative_to(root):
            return f"{prefix}{file.relative_to(root)}"
    return str(file)


@cache
def _lines_of(file: Path) -> dict[Path_, int]:
    """The line of each key of a YAML file; empty for other or broken files."""
    if file.suffix not in (".yaml", ".yml"):
        return {}
    try:
        root = yaml.compose(file.read_text(encoding="utf-8-sig"), Loader=yaml.SafeLoader)
    except (OSError, ValueError, RecursionError, yaml.YAMLError):
        return {}
    return dict(_lines(root, ())) if root else {}


def _lines(node: yaml.Node, path: Path_) -> Iterator[tuple[Path_, int]]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            here = (*path, str(key.value))
            yield here, key.start_mark.line + 1
            yield from _lines(value, here)


def _yaml(file: Path) -> dict[str, Any]:
    """The values of an included file, which the settings have already read without error."""
    values = read_yaml(file.read_bytes())
    return values if isinstance(values, dict) else {}


def _masked(value: Any) -> Any:
    # A proxy among the build arguments may be written as http://user:password@host.
    return without_password(value) if isinstance(value, str) else value


def text_of(value: Any) -> str:
    """A value as shown to a person in a table."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return ", ".join(str(item) for item in value)
    return without_password(str(value))


def editor() -> str:
    """The person's editor, chosen as git and crontab do."""
    return os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"
