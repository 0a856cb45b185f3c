"""The template's answers, as a stack that has no record of them shows them in its files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from spinstack.config import env_file
from spinstack.config.stack import read_text
from spinstack.errors import SpinstackError
from spinstack.text import read_yaml

# Question: path of keys in invoke.yaml, below `spinstack`.
SETTINGS = {
    "stack_name": ("stack",),
    "nersc_user": ("user",),
    "project_dir": ("project_dir",),
    "registry": ("registry",),
    "namespace": ("namespace",),
    "spin_namespace": ("kubernetes", "namespace"),
    "nersc_uid": ("kubernetes", "uid"),
    "login_host": ("host",),
    "environment": ("destinations", "dev", "environment"),
}
# Question: variable in stack.env.
VARIABLES = {
    "group_id": "GROUP_ID",
    "web_port": "WEB_PORT",
    "static_dir": "STATIC_DIR",
    "data_dir": "DATA_DIR",
    "nightwatch_dir": "NIGHTWATCH_DIR",
    "desimodel_dir": "DESIMODEL_DIR",
    "desiutil_dir": "DESIUTIL_DIR",
}


def of(stack: Path) -> dict[str, str]:
    """The answers that can be read from invoke.yaml and stack.env. Only where the template's lines
    around them have changed does it matter if one is missing."""
    found = {question: _setting(_settings(stack), path) for question, path in SETTINGS.items()}
    variables = _variables(stack)
    found |= {question: variables.get(name, "") for question, name in VARIABLES.items()}
    return {question: answer for question, answer in found.items() if answer}


def _settings(stack: Path) -> Any:
    try:
        return read_yaml((stack / "invoke.yaml").read_bytes())
    except (OSError, ValueError):
        return None


def _setting(value: Any, path: tuple[str, ...]) -> str:
    for key in ("spinstack", *path):
        value = value.get(key) if isinstance(value, dict) else None
    return str(value) if isinstance(value, (str, int)) else ""


def _variables(stack: Path) -> dict[str, str]:
    try:
        variables, _ = env_file.parse(read_text(stack / "stack.env"), "stack.env")
    except SpinstackError:
        return {}
    return {name: variable.value for name, variable in variables.items()}
