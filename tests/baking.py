"""Bakes the template as a person does, for the tests of what comes out."""

from __future__ import annotations

import atexit
import shutil
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

from cookiecutter.main import cookiecutter

from spinstack.template import record

REPOSITORY = Path(__file__).resolve().parents[1]


def bake(output: Path, template: Path = REPOSITORY, **answers: str) -> Path:
    """The directory of a new stack, made through cookiecutter's API without questions."""
    made = cookiecutter(str(template), no_input=True, extra_context=answers, output_dir=str(output))
    return Path(made)


def type_cookiecutter(output: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """What a person sees who types `cookiecutter <template> --no-input <words>`."""
    command = [sys.executable, "-m", "cookiecutter", str(REPOSITORY), "--no-input", *words]
    return subprocess.run(command, cwd=output, capture_output=True, text=True, timeout=60)


def text_files(stack: Path) -> dict[str, str]:
    """Every file of a stack but what it notes of its template: path -> text."""
    paths = sorted(stack.rglob("*"))
    files = (path for path in paths if path.is_file() and path.name not in record.FILES)
    return {str(path.relative_to(stack)): path.read_text(encoding="utf-8") for path in files}


@cache
def application() -> Path:
    """The directory app/ of a default stack, from now on importable in this process.

    Baked, so that the tests leave nothing in the template.
    """
    place = tempfile.mkdtemp(prefix="spinstack-app-")
    atexit.register(shutil.rmtree, place, ignore_errors=True)
    app = bake(Path(place)) / "app"
    sys.path.insert(0, str(app))
    return app
