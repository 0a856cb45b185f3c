"""A stack's invoke.yaml that Invoke could not read: told before Invoke shows a traceback."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import yaml

from spinstack.errors import UsageError

# The parser in C where PyYAML brings it: it reads the same language in a tenth of the time.
Loader: type[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def stack_directory(here: Path) -> Path:
    """The nearest directory upwards with an invoke.yaml in it; `here` if there is none."""
    for directory in (here, *here.parents):
        if (directory / "invoke.yaml").is_file():
            return directory
    return here


def refuse_unreadable(here: Path) -> None:
    """Look at the settings of the stack around `here`, as Invoke is about to.

    Invoke reads them right after the tasks, outside of every task. Exits with code 2 and
    three lines if they are not YAML, or no mapping.
    """
    path = stack_directory(here) / "invoke.yaml"
    try:
        wrong = _wrong(path.read_bytes())
    except OSError:
        # None there; or unreadable, which Invoke tells in a sentence.
        return
    if wrong:
        error = UsageError(wrong, where=str(path), remedy="mend the file, or take it from git")
        print("\n".join(error.lines()), file=sys.stderr)
        raise SystemExit(error.exit_code)


def _wrong(content: bytes) -> str:
    try:
        value = yaml.load(content, Loader)
    except (yaml.YAMLError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f" (line {mark.line + 1})" if mark else ""
        return f"the settings are not YAML{line}: {getattr(error, 'problem', None) or error}"
    if value is None or isinstance(value, dict):
        return ""
    return "the settings are no mapping: they begin with `spinstack:`"
