"""Settings of which YAML makes something else: `12:30` is the number 750 to it, `0123` is 83,
`2026-11-29` a date. Afterwards nobody can tell what was written, so the files are looked at once
more, as text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

from spinstack.config import schema
from spinstack.config.schema import Key
from spinstack.errors import UsageError

# Mappings by name, and the keys of what is in them.
_NAMED = {
    "destinations": schema.DESTINATION_KEYS,
    "images": schema.IMAGE_KEYS,
    "checkouts": schema.CHECKOUT_KEYS,
    "services": schema.SERVICE_KEYS,
}
# Mappings with keys of their own.
_HOLDERS = {
    "kubernetes": schema.KUBERNETES_KEYS,
    "health": schema.HEALTH_KEYS,
    "stop": schema.STOP_KEYS,
}
_TEXT = (*(f"tag:yaml.org,2002:{kind}" for kind in ("str", "null")), "!")
_DECIMAL = re.compile(r"[+-]?(0|[1-9][0-9]*)")


def check(file: Path, root: str = "") -> None:
    """Raises UsageError for the first setting of a file that would be read as something else.
    `root`: the key below which the settings are; empty if they are the whole file.

    What is wrong in other ways is left to others, who have read the file before."""
    import yaml

    if file.suffix not in (".yaml", ".yml"):
        return
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        node = yaml.compose(file.read_bytes(), Loader=loader)
        keys = (*schema.STACK_KEYS, *schema.DESTINATION_KEYS)
        # What others keep beside it in Invoke's files may have the names of settings.
        found = [below for name, below in _pairs(node) if name == root] if root else [node]
        for settings in found:
            for key, path, value in _settings(settings, keys, root):
                _judge(key, path, value, file)
    except (OSError, ValueError, RecursionError, yaml.YAMLError):
        return


def _pairs(node: Any) -> Iterator[tuple[str, Any]]:
    """The keys and value nodes of a mapping, merged ones included; nothing of anything else."""
    for key, value in node.value if getattr(node, "id", "") == "mapping" else ():
        if key.tag == "tag:yaml.org,2002:merge":
            for merged in value.value if value.id == "sequence" else [value]:
                yield from _pairs(merged)
        else:
            yield str(key.value), value


def _settings(node: Any, keys: Iterable[Key], path: str) -> Iterator[tuple[Key, str, Any]]:
    """The node of each single value, the setting that it belongs to, and its path."""
    table = {key.name: key for key in keys}
    for name, value in _pairs(node):
        at = f"{path}.{name}" if path else name
        if name in _NAMED:
            for inner, below in _pairs(value):
                yield from _settings(below, _NAMED[name], f"{at}.{inner}")
        elif name in _HOLDERS and name in table:
            yield from _settings(value, _HOLDERS[name], at)
        elif name in table:
            for where, single in _singles(value, at):
                yield table[name], where, single


def _singles(node: Any, at: str) -> Iterator[tuple[str, Any]]:
    """The value itself, or those of a list or mapping of single ones."""
    if node.id == "scalar":
        yield at, node
    elif node.id == "sequence":
        yield from ((at, item) for item in node.value if item.id == "scalar")
    else:
        yield from ((f"{at}.{name}", it) for name, it in _pairs(node) if it.id == "scalar")


def _judge(key: Key, path: str, node: Any, file: Path) -> None:
    import yaml

    text = str(node.value)
    if node.style or node.tag in _TEXT or key.name == "centre":
        return
    value = yaml.SafeLoader("").construct_object(node)
    name = path.rpartition(".")[2]
    if key.types == schema.NUMBER and isinstance(value, int) and not _DECIMAL.fullmatch(text):
        wanted, remedy = "a number", "write it in decimal digits"
    elif key.types in (schema.TEXT, schema.LIST, schema.MAPPING):
        before = "" if key.types == schema.LIST else f"{name}: "
        wanted, remedy = "text", f"quote it: {before}'{text}'"
    else:
        return
    written = str(value).lower() if isinstance(value, bool) else str(value)
    if key.flat and written == text:
        return
    read = "" if written == text else f", which YAML reads as {_told(value)}"
    raise UsageError(
        f"the setting {name} must be {wanted}, not {text}{read}",
        where=f"{file}:{node.start_mark.line + 1} ({path})",
        remedy=remedy,
    )


def _told(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f"the date {value}" if isinstance(value, date) else f"the number {value}"
