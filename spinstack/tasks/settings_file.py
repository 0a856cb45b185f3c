"""A stack's invoke.yaml that Invoke can't read: three lines instead of a traceback.

Invoke reads it right after importing the tasks, outside of every task, and passes what is
wrong with it on to Python. `sys.excepthook` is the place to say it in other words; if the file
is fine, nothing is read twice.
"""

from __future__ import annotations

import sys
from pathlib import Path
from types import TracebackType


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
        wrong = _wrong(path)
        if not wrong:
            usual(kind, error, trace)
            return
        from spinstack.errors import UsageError

        told = UsageError(wrong, where=str(path), remedy="fix the file, or restore it from git")
        print("\n".join(told.lines()), file=sys.stderr)
        raise SystemExit(told.exit_code)

    sys.excepthook = explain


def _wrong(path: Path) -> str:
    """Why the settings can't be read; empty if they can."""
    import yaml

    try:
        value = yaml.safe_load(path.read_bytes())
    except OSError:
        # There is none; or it is unreadable, which Invoke itself says in a sentence.
        return ""
    except (yaml.YAMLError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f" (line {mark.line + 1})" if mark else ""
        return f"the settings are not valid YAML{line}: {getattr(error, 'problem', None) or error}"
    if value is None or isinstance(value, dict):
        return ""
    return "the settings are not a mapping; they must begin with `spinstack:`"
