"""The two kinds of env file, which the client reads in two ways."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .failure import Failure
from .govalue import shown


def read_env_file(path: str) -> dict[str, str]:
    """What `--env-file` defines. Raises Failure if it can't be read.

    One NAME=VALUE a line, literally: no comments, no quotes. A name ending in .yml, .yaml
    or .json is read as such, and a syntax error in it means no variables at all.
    """
    text = _read(path)
    if path.endswith((".yml", ".yaml", ".json")):
        return _structured(path, text)
    return parse_lines(text)


def parse_lines(text: str) -> dict[str, str]:
    """NAME=VALUE lines, taken literally; a line without `=` defines an empty variable."""
    found = {}
    for line in text.split("\n"):
        name, _, value = line.rstrip("\r").partition("=")
        if name:
            found[name] = value
    return found


def read_service_env_file(path: Path, environment: Mapping[str, str]) -> dict[str, str]:
    """What a service's `env_file:` defines: `#` lines are skipped, quotes are kept.

    A name without `=` is taken from the process environment. Raises Failure.
    """
    found = {}
    for line in _read(str(path)).split("\n"):
        entry = line.rstrip("\r").lstrip()
        if not entry or entry.startswith("#"):
            continue
        name, equals, value = entry.partition("=")
        if " " in name.strip() or "\t" in name.strip():
            raise Failure(
                f"poorly formatted environment: variable '{name.strip()}' has white spaces"
            )
        found[name.strip()] = value if equals else environment.get(name.strip(), "")
    return found


def _structured(path: str, text: str) -> dict[str, str]:
    content: Any
    try:
        if path.endswith(".json"):
            content = json.loads(text)
        else:
            from .goyaml import YamlError, load

            try:
                content = load(text)
            except YamlError:
                return {}
    except ValueError:
        return {}
    if not isinstance(content, dict):
        return {}
    return {str(name): _scalar(str(name), value) for name, value in content.items()}


def _scalar(name: str, value: Any) -> str:
    if isinstance(value, (list, dict)):
        raise Failure(f"invalid environment variable {name}: {shown(value)} is not a string")
    return "" if value is None else shown(value)


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="surrogateescape")
    except OSError as problem:
        reason = os.strerror(problem.errno or 0).lower()
        raise Failure(f"open {path}: {reason}") from None
