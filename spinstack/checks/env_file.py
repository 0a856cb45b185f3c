"""The env file compared with the files that use it: every variable used is set, every one set is
used, and the files that services name are part of the release."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from spinstack.config import interpolation, release_files, services
from spinstack.config.settings import Destination, Settings
from spinstack.config.stack import COMPUTED_THERE, SOME_UID, Stack
from spinstack.rules.finding import Finding

# Larger files are neither settings nor code.
_LARGEST = 200_000


def findings(settings: Settings, stack: Stack, destination: Destination) -> list[Finding]:
    """What is unset, unused, set to no effect, or missing."""
    values = {**dict.fromkeys(COMPUTED_THERE, SOME_UID), **stack.variables(destination)}
    found = list(interpolation.findings(stack.compose, values))
    for file in stack.beside.values():
        if not file.findings:
            found += interpolation.findings(file, values)
    found += _overridden(stack)
    found += _shell_words(stack)
    found += _unused(settings, stack)
    found += _missing(stack)
    return found


def used_variables(stack: Stack) -> set[str]:
    """The variables of the compose file and of the files beside it."""
    files = [stack.compose, *stack.beside.values()]
    return {it.name for file in files for it in interpolation.references(file)}


def _overridden(stack: Stack) -> Iterator[Finding]:
    for name, variable in stack.env.items():
        if name in COMPUTED_THERE or name in stack.images:
            problem = f"{name} does not belong in the env file: spinstack sets it"
            remedy = "remove the line"
            where = f"{stack.env_name}:{variable.line}"
            yield Finding("variable-reserved", where, problem, remedy)


def _shell_words(stack: Stack) -> Iterator[Finding]:
    """Directories written as for a shell, which would be looked for under that very name."""
    for name in sorted(stack.mount_variables() & set(stack.env)):
        variable = stack.env[name]
        if variable.value.startswith("~") or "$" in variable.value:
            problem = f"{variable.value!r} is taken literally: ~ and $ mean nothing here"
            remedy = "write the full path, or one that is relative to project_dir"
            where = f"{stack.env_name}:{variable.line} ({name})"
            yield Finding("path-characters", where, problem, remedy)
        elif {".", ".."} & set(variable.value.split("/")):
            problem = f"{variable.value!r} is not looked for beside the compose file: directories "
            problem += "in here are relative to project_dir, without . and .."
            inside = "/".join(it for it in variable.value.split("/") if it not in (".", ".."))
            remedy = f"write {inside} if it is in project_dir (set in invoke.yaml), or a full path"
            where = f"{stack.env_name}:{variable.line} ({name})"
            yield Finding("path-characters", where, problem, remedy)


def _unused(settings: Settings, stack: Stack) -> Iterator[Finding]:
    used = used_variables(stack)
    for name, variable in stack.env.items():
        if name in used or name in COMPUTED_THERE or name in stack.images:
            continue
        if _given_to_containers(stack) and _mentioned(stack, name):
            continue
        problem = f"{name} is set, but no file of the stack uses it"
        remedy = "remove it, or, if only a library reads it, set it under environment: of a service"
        where = f"{stack.env_name}:{variable.line}"
        yield Finding("variable-unused", where, problem, remedy, "warning")
    for image in settings.images:
        if image.variable not in used:
            where = f"invoke.yaml, spinstack.images.{image.key}"
            problem = f"the image {image.key} is built, but no service uses ${{{image.variable}}}"
            remedy = f"write image: ${{{image.variable}}} for a service, or remove the image here"
            yield Finding("image-unused", where, problem, remedy, "warning")


def _given_to_containers(stack: Stack) -> bool:
    """Whether a service reads the whole env file, so that its program may use any variable."""
    services = stack.compose.services.values()
    return any("env_file" in service for service in services if isinstance(service, dict))


def _mentioned(stack: Stack, name: str) -> bool:
    """Whether a file of the stack, other than the env file itself, names the variable."""
    word = re.compile(rf"\b{re.escape(name)}\b")
    own = stack.directory / stack.env_name
    return any(
        word.search(_text(path, path.stat().st_mtime_ns))
        for path in release_files.files(stack.directory)
        if path != own and path.stat().st_size < _LARGEST and path.suffix != ".md"
    )


@lru_cache(maxsize=256)
def _text(path: Path, changed: int) -> str:
    """The text of a file; `changed`, its modification time, is only for the cache."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _missing(stack: Stack) -> Iterator[Finding]:
    """Files under `env_file:` of a service, which are read from the release."""
    for name, service in stack.compose.services.items():
        for file in services.env_files(service) if isinstance(service, dict) else ():
            if not in_release(stack, file):
                where = stack.compose.where("services", name, "env_file")
                problem = f"the env file {file} of {name} is not part of a release"
                remedy = "name a file in the stack's directory that is not hidden"
                yield Finding("env-file-missing", where, problem, remedy)


def in_release(stack: Stack, relative: str) -> bool:
    """Whether a relative path is a file (or a directory with files) of a release."""
    path = (stack.directory / relative).resolve()
    root = stack.directory.resolve()
    if not path.is_relative_to(root):
        return False
    parts = path.relative_to(root).parts
    hidden = any(part.startswith(".") or part in release_files.LEFT_OUT for part in parts)
    # A Path raises for a name that no file can have.
    if os.path.isdir(path):  # noqa: PTH112
        return not hidden and any(True for _ in release_files.files(path))
    return os.path.isfile(path) and not hidden  # noqa: PTH113
