"""The files of the stack's directory themselves: links to elsewhere, Windows line endings."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterator
from pathlib import Path

from spinstack.config import release_files
from spinstack.config.settings import Settings
from spinstack.config.stack import Stack
from spinstack.rules.finding import Finding, Severity

# What Compose merges into the usual compose files, in the order in which it looks for them.
OVERRIDES = (
    *("compose.override.yml", "compose.override.yaml"),
    *("docker-compose.override.yml", "docker-compose.override.yaml"),
)
_USUAL = ("compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml")
_MERGED = (
    "have Compose write all of it into one file (`docker compose config --no-interpolate "
    "--no-normalize --no-path-resolution --output stack.yml`), set compose_file: stack.yml in "
    "invoke.yaml, and run `spinstack init` again"
)
# Those of an image that programs read, in whatever directory of it.
_READ = ("Dockerfile*", "*.sh", "*.ini", "*.conf")


def links(directory: Path) -> Iterator[Finding]:
    """An error for each that leads out: a release would hold a copy of the file, readable for the
    group."""
    for link in release_files.links_outside(directory):
        problem = f"a link to {link.readlink()}, which is not in the stack's directory"
        remedy = "replace it by a copy, or move it out of the directory"
        where = link.relative_to(directory).as_posix()
        yield Finding("link-outside", where, problem, remedy)


def merges(settings: Settings, stack: Stack) -> Iterator[Finding]:
    """What Compose itself would read besides the compose file: an error where the file asks for it,
    a warning for what it need not know of."""
    file = stack.compose
    if settings.compose_file in _USUAL:
        there = [name for name in OVERRIDES if (settings.directory / name).is_file()]
        for name in there[:1]:
            problem = f"Compose merges {name} into {file.source}; a stack has one compose file"
            remedy = f"{_MERGED}; if the stack does without it, move it away"
            yield Finding("compose-merge", name, problem, remedy, "warning")
    if "include" in file.data:
        problem = "the files below include: are not read"
        yield Finding("compose-merge", file.where("include"), problem, _MERGED)


def line_ends(settings: Settings, stack: Stack) -> list[Finding]:
    """Windows line endings: an error for a script, which does not start at all with them, a
    warning for any other file that programs read."""
    found = []
    for path in _texts(settings, stack):
        data = _bytes(path)
        line = data.partition(b"\r\n")[0].count(b"\n") + 1
        if b"\r\n" not in data:
            continue
        script = data.startswith(b"#!")
        problem = "Windows line endings (CRLF)"
        if script:
            problem = "a script with Windows line endings (CRLF) does not start"
        where = f"{path.relative_to(settings.directory).as_posix()}:{line}"
        remedy = "save it with Unix line endings (LF)"
        severity: Severity = "error" if script else "warning"
        found.append(Finding("line-ends", where, problem, remedy, severity))
    return found


def _texts(settings: Settings, stack: Stack) -> Iterator[Path]:
    """The files of the stack that programs read, except those of the applications."""
    names = [settings.compose_file, stack.env_name]
    names += [file.source for file in stack.beside.values()]
    for name in names:
        yield settings.directory / name
    for image in settings.images:
        context = settings.directory / image.context
        for path in release_files.files(context) if context.is_dir() else ():
            if any(fnmatch.fnmatch(path.name, pattern) for pattern in _READ):
                yield path


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        # Whoever needs the file reports that it can't be read.
        return b""
