"""Files with Windows line endings: a script with them does not start at all."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from spinstack.config.settings import Settings
from spinstack.config.stack import Stack
from spinstack.rules.finding import Finding, Severity


def findings(settings: Settings, stack: Stack) -> list[Finding]:
    """An error for a script, a warning for any other file that programs read."""
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
        patterns = ("Dockerfile", "*.sh", "*.ini", "*.conf")
        for pattern in patterns:
            yield from sorted(path for path in context.glob(pattern) if path.is_file())


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        # Whoever needs the file reports that it can't be read.
        return b""
