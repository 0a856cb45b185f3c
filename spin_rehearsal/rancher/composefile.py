"""Reads the compose files of an `up` into services with everything filled in and merged."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from . import goyaml
from .failure import Failure
from .gotemplate import ExecutionError, TemplateError, render
from .govalue import Struct, shown
from .interpolate import interpolate_entry
from .schema import check_service
from .variables import Variables

RawService = dict[str, Any]

_NO_TEMPLATE = ("# notemplating", "#notemplating")
# Of these, the client makes text of every value.
_TEXTS = ("environment", "labels")
# In these lists a later file replaces an earlier one; other lists are joined.
_REPLACED = ("command", "entrypoint")


class Source(NamedTuple):
    """A compose file as found: `path` is "-" for stdin, `text` "" where there is no file."""

    path: str
    text: str

    @property
    def folder(self) -> Path:
        return (
            Path.cwd()
            if self.path == "-"
            else Path(os.path.normpath(Path.cwd() / self.path)).parent
        )


class Compose(NamedTuple):
    """All files of an `up`: `services` and `volumes` as written, interpolated and merged."""

    services: dict[str, RawService]
    volumes: dict[str, Any]


def compose_paths(given: Sequence[str]) -> list[str]:
    """The compose files to read, in order; `given` from `-f`, else `COMPOSE_FILE`, else default."""
    if given:
        return list(given)
    named = os.environ.get("COMPOSE_FILE")
    if named:
        return named.split(os.pathsep)
    override = "docker-compose.override.yml"
    return ["docker-compose.yml"] + ([override] if Path(override).exists() else [])


def stack_name(given: str, first_path: str) -> str:
    """The stack's name: the one given, or that of the directory of the first compose file."""
    name = given or os.environ.get("COMPOSE_PROJECT_NAME") or Source(first_path, "").folder.name
    name = re.sub(r"[^a-z0-9-]", "-", name.lower())
    return f"x{name}" if name.startswith("-") else name


def read_sources(paths: Sequence[str], rancher_file: str) -> list[Source]:
    """The compose files and, last, the rancher-compose file beside the first of them.

    A file that is missing counts as empty.
    """
    sources = [_source(path) for path in paths]
    beside = rancher_file or str(sources[0].folder / "rancher-compose.yml")
    return [*sources, _source(beside)]


def evaluate(source: Source, stack: str, variables: Variables) -> Source:
    """The file with its Go templates evaluated. Raises Failure.

    The client goes on with what came before a template that failed: it does not look at the error.
    """
    if source.text.strip().startswith(_NO_TEMPLATE) or "{{" not in source.text:
        return source
    fields = frozenset(("Version", "PreviousVersion", "Name"))
    info = Struct("template.StackInfo", fields, {"Name": stack})
    data = {
        "Values": variables.for_templates(),
        "Stack": info,
        "Release": info,
        "Environment": Struct("template.EnvironmentInfo", frozenset(("Name",)), {}),
    }
    try:
        return source._replace(text=render(source.text, data, name="template"))
    except ExecutionError as problem:
        return source._replace(text=problem.shown)
    except TemplateError as problem:
        raise Failure(str(problem)) from None


def read(sources: Sequence[Source], variables: Variables) -> Compose:
    """All files merged into one. Raises Failure with the client's words for what is wrong."""
    services: dict[str, RawService] = {}
    volumes: dict[str, Any] = {}
    for source in sources:
        content = _content(source)
        written = {
            name: _filled(raw, variables) for name, raw in _services(source, content).items()
        }
        for name, volume in _section(content, "volumes").items():
            volumes[name] = interpolate_entry(name, volume, variables)
        for name, network in _section(content, "networks").items():
            # Networks are not sent, yet what is wrong in them is told all the same.
            interpolate_entry(name, network, variables)
        # Each file by itself, and before its services are looked into.
        for name, service in written.items():
            check_service(name, service)
        for name, service in written.items():
            service = _relative_to(source.folder, service)
            services[name] = merge(services.get(name, {}), service)
    return Compose(services, volumes)


def _filled(raw: RawService, variables: Variables) -> RawService:
    filled = {key: interpolate_entry(key, raw[key], variables) for key in raw}
    return filled | {key: _texts(filled[key]) for key in _TEXTS if key in filled}


def _texts(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _texts(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_texts(item) for item in value]
    return None if value is None else shown(value)


def merge(base: RawService, over: Mapping[str, Any]) -> RawService:
    """A service of one file, overlaid with the same service of a later file."""
    merged = dict(base)
    for key, value in over.items():
        if key in _REPLACED or key not in merged:
            merged[key] = value
        else:
            merged[key] = _merged(merged[key], value)
    return merged


def _merged(old: Any, new: Any) -> Any:
    if isinstance(old, dict) and isinstance(new, dict):
        return {**old, **new}
    if isinstance(old, list) and isinstance(new, list):
        return old + [item for item in new if item not in old]
    return new


def _source(path: str) -> Source:
    if path == "-":
        return Source(path, sys.stdin.read())
    try:
        return Source(path, Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return Source(path, "")
    except (OSError, UnicodeDecodeError) as problem:
        raise Failure(f"open {path}: {problem}") from None


def _content(source: Source) -> dict[str, Any]:
    try:
        content = goyaml.load(source.text)
    except goyaml.YamlError as problem:
        raise Failure(str(problem)) from None
    if content is None:
        return {}
    if not isinstance(content, dict):
        misfit = str(goyaml.not_a_mapping(source.text, ()))
        raise Failure(misfit.replace("config.RawService", "config.Config"))
    return content


def _is_v2(content: Mapping[str, Any]) -> bool:
    return bool(content.get("version") == "2")


def _section(content: Mapping[str, Any], key: str) -> dict[str, Any]:
    """A top-level mapping of version 2; empty where there is none."""
    found = content.get(key) if _is_v2(content) else None
    return found if isinstance(found, dict) else {}


def _services(source: Source, content: Mapping[str, Any]) -> dict[str, RawService]:
    """The services of a file: below `services:` in version 2, else every top-level key."""
    v2 = _is_v2(content)
    found = (content.get("services") or {}) if v2 else content
    for name, raw in found.items() if isinstance(found, dict) else ():
        if raw is not None and not isinstance(raw, dict):
            path = ("services", name) if v2 else (name,)
            raise Failure(str(goyaml.not_a_mapping(source.text, path)))
    if not isinstance(found, dict):
        raise Failure(str(goyaml.not_a_mapping(source.text, ("services",))))
    return {str(name): raw or {} for name, raw in found.items()}


def _relative_to(folder: Path, service: RawService) -> RawService:
    """The service with its relative paths made absolute, as seen from its own file."""
    made = dict(service)
    if isinstance(made.get("volumes"), list):
        made["volumes"] = [_absolute_volume(folder, volume) for volume in made["volumes"]]
    env_files = made.get("env_file")
    if isinstance(env_files, str):
        env_files = [env_files]
    if isinstance(env_files, list):
        made["env_file"] = [
            os.path.normpath(folder / file) if isinstance(file, str) else file for file in env_files
        ]
    return made


def _absolute_volume(folder: Path, volume: Any) -> Any:
    if not isinstance(volume, str) or not volume.startswith("."):
        return volume
    source, colon, rest = volume.partition(":")
    return os.path.normpath(folder / source) + colon + rest if colon else volume
