"""A template as a later spinstack may have it: a copy of this one, changed here and there."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.baking import REPOSITORY

STACK = "<<cookiecutter.stack_name>>"
VERSION = "99.0.0"
PARTS = ("spinstack", "hooks", STACK)
_IGNORED = shutil.ignore_patterns("__pycache__", "sample", "_template")


def copied(into: Path) -> Path:
    """The template with the package beside it, without git."""
    for name in PARTS:
        shutil.copytree(REPOSITORY / name, into / name, ignore=_IGNORED)
    shutil.copyfile(REPOSITORY / "cookiecutter.json", into / "cookiecutter.json")
    return into


def newer(into: Path) -> Path:
    """With another version, a question more, and files changed, added, renamed and removed."""
    template = copied(into)
    change(template / "spinstack/__init__.py", "__version__ = ", f'__version__ = "{VERSION}"  # ')
    change(template / "cookiecutter.json", "{\n", '{\n  "colour": "blue",\n')
    stack = template / STACK
    change(stack / "tasks.py", '"""The tasks', '"""All tasks')
    change(stack / "stack.env", "# Port of the site,", "# The port of the site,")
    change(stack / "README.md", "\n", "\nNew.\n")
    change(stack / "web/nginx/nginx.conf", "\n", "\n# New.\n")
    (stack / "NEWS.md").write_text("It is << cookiecutter.colour >>.\n")
    (stack / "docker-compose.yml").rename(stack / "compose.yml")
    (stack / ".gitignore").write_text("!.template.zip\n*.log\n")
    (stack / "kinds/nightwatch/app/app.py").unlink()
    (stack / "kinds/nightwatch/app/app.ini").unlink()
    return template


def change(path: Path, old: str, new: str) -> None:
    """Replace the first of these texts in a file, which must have it."""
    text = path.read_text(encoding="utf-8")
    assert old in text, path
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
