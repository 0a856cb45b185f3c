"""Where the cookiecutter template lies: the root of a checkout, or inside the wheel."""

from __future__ import annotations

from pathlib import Path

from spinstack.errors import SpinstackError

# The template's directory of a stack, named after the answer that it will get.
STACK_DIRECTORY = "<<cookiecutter.stack_name>>"


def path() -> Path:
    """The directory that holds `cookiecutter.json`.

    Raises SpinstackError where neither a checkout nor a wheel has brought one.
    """
    package = Path(__file__).resolve().parent
    for place in (package / "_template", package.parent):
        if (place / "cookiecutter.json").is_file() and (place / STACK_DIRECTORY).is_dir():
            return place
    raise SpinstackError(
        "the template of a stack is not there",
        where=str(package),
        remedy="install spinstack anew (pip install --force-reinstall spinstack), "
        "or run it from a checkout",
    )


def stack() -> Path:
    """The directory of the template that becomes a stack. Raises as `path` does."""
    return path() / STACK_DIRECTORY
