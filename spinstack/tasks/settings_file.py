"""Settings that Invoke can't read: three lines instead of a traceback.

Invoke merges several files, outside of every task, and passes what is wrong with them on to
Python. `sys.excepthook` is the place to say it in other words; if the files are fine, nothing is
read twice. Only Invoke's own command reads the person's file before it knows of us, so there a
file that is not YAML is still Python's to report.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from spinstack.errors import SpinstackError

# As Invoke looks for them; of each kind it takes the first.
_SUFFIXES = ("yaml", "yml", "json")


def stack_directory(here: Path) -> Path:
    """The nearest directory, going up, with an invoke.yaml in it; `here` if there is none."""
    for directory in (here, *here.parents):
        if (directory / "invoke.yaml").is_file():
            return directory
    return here


def allow_empty_sections() -> None:
    """From now on, a section in which nothing is left (`spinstack:` alone) changes nothing.

    Invoke would refuse to merge it with the same section of another file.
    """
    from invoke import config

    merge = config.merge_dicts

    def lenient(base: dict[str, Any], updates: dict[str, Any]) -> dict[str, Any]:
        kept = dict(updates or {})
        for key in kept.keys() & base.keys():
            if kept[key] is None and isinstance(base[key], dict):
                del kept[key]
            elif base[key] is None and isinstance(kept[key], dict):
                base[key] = {}
        return merge(base, kept)

    config.merge_dicts = lenient


def read_fast() -> None:
    """From now on, Invoke reads its YAML files with libyaml where PyYAML has it. The reader that
    comes with Invoke takes ten times as long: as long as loading all tasks."""
    from invoke.config import Config

    from spinstack.text import read_yaml

    def load(_: Config, path: str) -> Any:
        return read_yaml(Path(path).read_bytes())

    Config._load_yaml = Config._load_yml = load  # type: ignore[method-assign, assignment]


def explain_unreadable(here: Path) -> None:
    """From now on, if an uncaught exception comes from the settings for `here`, or from standard
    output, say so and exit."""
    usual = sys.excepthook

    def explain(
        kind: type[BaseException], error: BaseException, trace: TracebackType | None
    ) -> None:
        from spinstack.console import streams
        from spinstack.console.console import Console

        if isinstance(error, BrokenPipeError):
            streams.give_up(sys.stdout)
            raise SystemExit(1)
        found = None
        if isinstance(error, OSError) and error.errno in streams.FULL:
            found = streams.unwritable(error)
        found = found or _wrong_settings(here)
        if not found:
            usual(kind, error, trace)
            return
        Console().error(found)
        raise SystemExit(found.exit_code)

    sys.excepthook = explain


def _wrong_settings(here: Path) -> SpinstackError | None:
    from spinstack.errors import UsageError

    values = _defaults()
    for path in _files(here):
        wrong = _wrong(path, values)
        if wrong:
            # The stack's own is in git, the others are the person's.
            other = "restore it from git" if path.parent == stack_directory(here) else "remove it"
            return UsageError(wrong, where=str(path), remedy=f"fix the file, or {other}")
    return None


def _defaults() -> dict[str, Any]:
    from invoke.config import Config

    from spinstack.config import schema

    return {**Config.global_defaults(), **schema.known_to_invoke()}


def _files(here: Path) -> Iterator[Path]:
    """The files that Invoke merges, in its order."""
    for start in ("/etc/invoke", "~/.invoke", stack_directory(here) / "invoke"):
        found = (Path(f"{start}.{suffix}").expanduser() for suffix in _SUFFIXES)
        yield from [path for path in found if path.is_file()][:1]
    named = [os.environ.get("INVOKE_RUNTIME_CONFIG", "")]
    named += [word for flag, word in pairwise(sys.argv) if flag in ("-f", "--config")]
    if named[-1]:
        yield Path(named[-1])


def _wrong(path: Path, values: dict[str, Any]) -> str:
    """Why the file can't be read or merged with `values`, to which it is added; empty if it can."""
    from spinstack.text import read_yaml

    try:
        value = read_yaml(path.read_bytes())
    except OSError:
        # There is none; or it is unreadable, which Invoke itself says in a sentence.
        return ""
    except ValueError as error:
        return f"the settings are {error}"
    if value is None:
        return ""
    if not isinstance(value, dict):
        return "the settings are not a mapping; they must begin with `spinstack:`"
    return _odd(value, values, "")


def _odd(value: dict[Any, Any], known: dict[str, Any], prefix: str) -> str:
    """The first key that Invoke can't merge with what is known, in words; empty if there is none.
    Adds all others."""
    for key, item in value.items():
        name = f"{prefix}{key}"
        if not isinstance(key, str):
            return f"the settings have the key {name}, which is not text; write it in quotes"
        there = known.get(key)
        if isinstance(item, dict):
            if not isinstance(there, dict | None):
                return f"the setting {name} is a mapping, and a single value elsewhere"
            known[key] = dict(there or {})
            if wrong := _odd(item, known[key], f"{name}."):
                return wrong
        elif isinstance(there, dict) and item is not None:
            return f"the setting {name} is a single value, but must be a mapping"
        elif item is not None:
            known[key] = item
    return ""
