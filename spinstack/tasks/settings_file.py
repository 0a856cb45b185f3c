"""A stack's invoke.yaml that Invoke can't read: three lines instead of a traceback.

Invoke reads it right after importing the tasks, outside of every task, and passes what is
wrong with it on to Python. `sys.excepthook` is the place to say it in other words; if the file
is fine, nothing is read twice.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any


def stack_directory(here: Path) -> Path:
    """The nearest directory, going up, with an invoke.yaml in it; `here` if there is none."""
    for directory in (here, *here.parents):
        if (directory / "invoke.yaml").is_file():
            return directory
    return here


def explain_unreadable(here: Path) -> None:
    """From now on, if an uncaught exception comes from the settings of the stack around `here`,
    say what is wrong with them and exit with code 2."""
    usual = sys.excepthook

    def explain(
        kind: type[BaseException], error: BaseException, trace: TracebackType | None
    ) -> None:
        path = stack_directory(here) / "invoke.yaml"
        wrong = _wrong(path, error)
        if not wrong:
            usual(kind, error, trace)
            return
        from spinstack.errors import UsageError

        told = UsageError(wrong, where=str(path), remedy="fix the file, or restore it from git")
        print("\n".join(told.lines()), file=sys.stderr)
        raise SystemExit(told.exit_code)

    sys.excepthook = explain


def _wrong(path: Path, error: BaseException) -> str:
    """Why the settings can't be read; empty if they can. `error`: what Invoke ended with."""
    import yaml

    try:
        value = yaml.safe_load(path.read_bytes())
    except OSError:
        # There is none; or it is unreadable, which Invoke itself says in a sentence.
        return ""
    except (yaml.YAMLError, ValueError) as broken:  # ValueError: an impossible date
        mark = getattr(broken, "problem_mark", None)
        line = f" (line {mark.line + 1})" if mark else ""
        return f"the settings are not valid YAML{line}: {getattr(broken, 'problem', '') or broken}"
    if value is not None and not isinstance(value, dict):
        return "the settings are not a mapping; they must begin with `spinstack:`"
    return _unusable(value or {}, error)


def _unusable(value: dict[Any, Any], error: BaseException) -> str:
    """What Invoke can't make settings of, in a file that is a mapping: keys that are not text, one
    value where it has a mapping, or a mapping where it has one value."""
    from invoke.config import AmbiguousMergeError

    from spinstack.config import schema
    from spinstack.errors import UsageError

    for key in _odd_keys(value):
        return f"the key {key} is not text to YAML; write it in quotes"
    ours = value.get("spinstack") or {}
    if not isinstance(ours, dict):
        return "spinstack: is not a mapping"
    try:
        schema.check(ours, schema.STACK_KEYS, "spinstack", also=schema.DESTINATION_KEYS)
    except UsageError as wrong:
        return f"{wrong.what} ({wrong.where})"
    if isinstance(error, AmbiguousMergeError):
        others = ", ".join(key for key in value if key != "spinstack") or "spinstack"
        return f"Invoke can't use the settings below {others}: a mapping and one value don't merge"
    return ""


def _odd_keys(value: Any) -> Iterator[object]:
    if isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str):
                yield key
            yield from _odd_keys(item)
